//! Whose keys sign an attempt.

use super::*;
use crate::signature::SigningKey;

#[tokio::test]
async fn the_clients_own_key_signs_alone() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = world();
    let (own, routes) = (
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
    );
    world.policy.signing = Signing::Keys(vec![routes.parse().unwrap()]);
    world.secret = Some(own.parse().unwrap());
    world.send(&receiver.url("/hook"), NamedBy::Call).await;
    let request = receiver.posts().remove(0);
    let past = i64::try_from(NOW.as_secs()).unwrap();
    let verifier = standardwebhooks::Webhook::new(own).unwrap();
    let expected = verifier.sign(request.header("webhook-id"), past, &request.body);
    assert_eq!(request.header("webhook-signature"), expected.unwrap());
}

#[tokio::test]
async fn signs_with_every_key_what_it_sends() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = world();
    let keys = [
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0",
    ];
    world.policy.signing = Signing::Keys(keys.map(|key| key.parse().unwrap()).to_vec());
    world.send(&receiver.url("/hook"), NamedBy::Default).await;
    let request = receiver.posts().remove(0);
    let signed = request.header("webhook-signature");
    assert_eq!(signed.split(' ').count(), 2);
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-signature"] {
        headers.insert(name, request.header(name).parse().unwrap());
    }
    // The verifier knows only the present; what is checked here is the signature over our past.
    for key in keys {
        let verifier = standardwebhooks::Webhook::new(key).unwrap();
        let past = i64::try_from(NOW.as_secs()).unwrap();
        let expected = verifier
            .sign(request.header("webhook-id"), past, &request.body)
            .unwrap();
        assert!(signed.split(' ').any(|one| one == expected), "{key}");
    }
}

#[tokio::test]
async fn a_receiver_of_a_client_gets_signatures_of_keys_for_its_origin_alone() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = world();
    let keys: [SigningKey; 2] = [
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
        "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0".parse().unwrap(),
    ];
    world.policy.signing = Signing::Keys(keys.to_vec());
    let (url, past) = (receiver.url("/hook?a=b"), i64::try_from(NOW.as_secs()).unwrap());
    let origin = receiver.url("");
    for named_by in [NamedBy::Session, NamedBy::Call] {
        world.send(&url, named_by).await;
        let request = receiver.posts().pop().unwrap();
        let signatures = keys.each_ref().map(|key| {
            let verifier = standardwebhooks::Webhook::new(&key.for_origin(&origin).whsec()).unwrap();
            let signed = verifier.sign(request.header("webhook-id"), past, &request.body);
            signed.unwrap()
        });
        assert_eq!(request.header("webhook-signature"), signatures.join(" "));
    }
}
