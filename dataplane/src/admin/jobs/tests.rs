//! The document is the committed one; the rest of the API is tested against a real process
//! (`tests/tests/jobs`).

use super::*;

#[test]
fn the_document_in_the_repository_is_the_one_the_code_gives() {
    let committed = include_str!("../../../openapi.json");
    assert_eq!(committed, document(), "stale: run `make generate`");
}
