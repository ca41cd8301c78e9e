//! Names that come to mean another address from one question to the next, and name servers with nothing good to say.
//!
//! Each test runs in a network namespace of its own, where a public address is on loopback too, so that what is dialled
//! answers. Invariant: the receiver at the private address never sees a connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Result;
use asyncmcp_tests::dns::{self, NameServer};
use asyncmcp_tests::namespace;
use asyncmcp_tests::receiver::{Answer, Receiver, following};

use crate::ending::{Setting, Stage};
use crate::names::{self, is_our_fault};

const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
const PRIVATE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const NAME: &str = "rebinding.example.com";
const FROM_CLIENTS: &str = "fromClients: {allowedHosts: [\"*.example.com\"], schemes: [http]}";

/// What stands at both ends of the name.
struct Scene {
    dns: NameServer,
    public: Receiver,
    private: Receiver,
    stage: Stage,
}

impl Scene {
    /// The public receiver follows `script`, the name server `answers`.
    async fn open(script: Vec<Answer>, answers: Vec<dns::Answer>) -> Result<Self> {
        let dns = NameServer::start(SocketAddr::new(IpAddr::V4(PRIVATE), 53), answers).await?;
        let public = Receiver::start_at(SocketAddr::new(IpAddr::V4(PUBLIC), 0), following(script)).await?;
        let same_port = SocketAddr::new(IpAddr::V4(PRIVATE), public.address().port());
        let private = Receiver::start_at(same_port, following([Answer::status(200)])).await?;
        let url = public.url_as(NAME);
        let setting = Setting {
            from_clients: FROM_CLIENTS,
            ..Setting::of(&url)
        };
        let stage = Stage::open_as(setting, names::launch).await?;
        Ok(Self {
            dns,
            public,
            private,
            stage,
        })
    }

    /// The client names the receiver, and its delivery goes like this; so many requests reach the public one.
    async fn goes(&self, story: &[&str], public: usize) -> Result<()> {
        self.stage.call(Some(&self.public.url_as(NAME))).await?;
        self.stage.ends_as(story).await?;
        assert_eq!((self.public.count(), self.private.connections()), (public, 0));
        Ok(())
    }
}

/// The whole name of this file's test, for the run that has a network of its own.
fn inside(test: &str) -> Result<bool> {
    namespace::in_own_network(&format!("rebinding::{test}"), &[&PUBLIC.to_string()])
}

fn addresses(addresses: &[Ipv4Addr]) -> dns::Answer {
    dns::Answer::Addresses(addresses.to_vec())
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_dialled() -> Result<()> {
    if !inside("the_address_that_was_judged_is_the_one_dialled")? {
        return Ok(());
    }
    let answers = vec![addresses(&[PUBLIC]), addresses(&[PRIVATE])];
    let scene = Scene::open(vec![Answer::status(200)], answers).await?;
    scene.goes(&["delivered 200"], 1).await?;
    assert_eq!(scene.dns.asked(), 1, "asked again between judging and dialling");
    Ok(())
}

#[tokio::test]
async fn a_name_that_comes_to_mean_this_machine_is_blocked() -> Result<()> {
    if !inside("a_name_that_comes_to_mean_this_machine_is_blocked")? {
        return Ok(());
    }
    let answers = vec![addresses(&[PUBLIC]), addresses(&[PRIVATE])];
    let closing = Answer::with(503, "connection: close"); // an open connection leads where it was judged
    let scene = Scene::open(vec![closing], answers).await?;
    scene.goes(&["retry 503 http_5xx", "dead blocked"], 1).await?;
    let labels = [("rule", "loopback")];
    scene
        .stage
        .counts("asyncmcp_egress_blocked_total", &labels, 1)
        .await
}

#[tokio::test]
async fn an_answer_with_one_private_address_is_blocked() -> Result<()> {
    if !inside("an_answer_with_one_private_address_is_blocked")? {
        return Ok(());
    }
    let answers = vec![addresses(&[PUBLIC, PRIVATE])];
    let scene = Scene::open(vec![Answer::status(200)], answers).await?;
    scene.goes(&["dead blocked"], 0).await
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_receivers_fault() -> Result<()> {
    if !inside("a_name_that_does_not_exist_is_the_receivers_fault")? {
        return Ok(());
    }
    let scene = Scene::open(vec![Answer::status(200)], vec![dns::Answer::NoName]).await?;
    let story = ["retry dns_error", "retry dns_error", "dead dns_error"];
    scene.goes(&story, 0).await
}

#[tokio::test]
async fn a_name_without_addresses_is_the_receivers_fault() -> Result<()> {
    if !inside("a_name_without_addresses_is_the_receivers_fault")? {
        return Ok(());
    }
    let scene = Scene::open(vec![Answer::status(200)], vec![addresses(&[])]).await?;
    let story = ["retry dns_error", "retry dns_error", "dead dns_error"];
    scene.goes(&story, 0).await
}

#[tokio::test]
async fn a_name_server_that_fails_is_our_fault() -> Result<()> {
    if !inside("a_name_server_that_fails_is_our_fault")? {
        return Ok(());
    }
    let scene = Scene::open(vec![Answer::status(200)], vec![dns::Answer::Failure]).await?;
    is_our_fault(&scene.stage).await?;
    assert!(scene.dns.asked() >= 4);
    Ok(())
}
