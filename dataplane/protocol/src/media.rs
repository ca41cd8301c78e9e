//! What kind of body a `Content-Type` announces.
//!
//! Used by the endpoint, the jobs API and the client for servers. Invariant: parameters, spaces and case decide nothing
//! (RFC 9110, 8.3.1).

/// The media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_spaces_and_case_decide_nothing() {
        for header in [
            "application/json",
            " Application/JSON ;charset=utf-8",
            "application/json;",
        ] {
            assert_eq!(essence(header), "application/json");
        }
        assert_eq!(essence(""), "");
    }
}
