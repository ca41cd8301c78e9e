//! The console in Chromium, on real processes while deliveries run: what a person sees, does with the keyboard alone, and
//! cannot be made to run.
//!
//! The pages are driven by the scripts of `tests/browser/`; here is the world that each of them gets. Needs what
//! `tests/setup/browser` installs, as `make test ONLY=console` brings it. Invariant: what a script did is confirmed through
//! the jobs API, never by a page alone.

mod cases;
mod pictures;
mod scene;
mod script;
