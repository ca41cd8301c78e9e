//! The console over HTTP, on real processes: who gets in, what a page says, and what no other page can make it do.
//!
//! Invariant: a test asks as a browser would, with the headers that browsers send, and never through the code of the data
//! plane. What a browser makes of the pages is tested in one, elsewhere.

mod actions;
mod browser;
mod command;
mod cross_site;
mod hostile;
mod pages;
mod scene;
mod sign_in;
