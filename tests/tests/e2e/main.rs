//! The whole path on a real cluster: helm, kubectl, the operator, data planes, a server, a receiver, clients in pods.
//!
//! `make e2e` runs it on the cluster that KUBECONFIG names, else on the local one. Invariant: each test has a namespace
//! of its own, and the operator is shared by those that leave it alone.

mod admission;
mod calls;
mod cascade;
mod claims;
mod classes;
mod credentials;
mod definition;
mod drain;
mod durability;
mod held;
mod jobs;
mod live;
mod operator;
mod readme;
mod refusals;
mod secrets;
mod silence;
mod trouble;
mod upgrade;
mod volumes;

/// A signing key (Standard Webhooks), and the one that takes its place.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
const NEXT_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDC2FVsBQIhrs=";
