//! What a modern server needs of its client before it answers, and the next round of the request (MCP 2026-07-28, Multi
//! Round-Trip Requests).
//!
//! The data plane asks legacy clients for it, which cannot be asked in this way.
//!
//! Invariant: `requestState` and the client's answers keep their bytes.

use serde_json::value::RawValue;

use crate::message::Request;
use crate::raw::RawObject;

/// How much a server may ask for at once.
pub const MAX_QUESTIONS: usize = 16;

const RESPONSES: &str = "inputResponses";
const STATE: &str = "requestState";

/// A result of the type `input_required`.
#[derive(Clone, Debug)]
pub struct InputRequired {
    /// What the client is asked, if anything.
    pub questions: Vec<Question>,
    state: Option<Box<RawValue>>,
}

/// One question, as a request that has no id yet.
#[derive(Clone, Debug)]
pub struct Question {
    /// The server's name for it.
    pub key: String,
    /// What is asked for.
    pub kind: Kind,
    /// The parameters.
    pub params: Option<RawObject>,
}

/// What a client may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its roots.
    Roots,
    /// A message of its model.
    Sampling,
    /// The same, of a model that may use tools.
    SamplingWithTools,
    /// A form that its user fills in.
    Form,
    /// A page that its user visits.
    Url,
}

/// Why a result of the type `input_required` cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither a question nor a state, or none that can be read.
    #[error("inputRequests or requestState of a result cannot be read")]
    Unreadable,
    /// Something that no client can be asked for.
    #[error("inputRequests of a result has a request that no client answers")]
    Unknown,
    /// More than [`MAX_QUESTIONS`].
    #[error("inputRequests of a result has more than {MAX_QUESTIONS} requests")]
    TooMany,
}

/// Whether the server needs more before it answers.
pub fn is_input_required(result: &RawValue) -> bool {
    RawObject::parse(result.get().as_bytes())
        .is_ok_and(|result| result.text("resultType").as_deref() == Some("input_required"))
}

/// Whether the request is one that the client sends again, with what its server needs.
pub fn is_next_round(request: &Request) -> bool {
    let params = request.params.as_ref();
    params.is_some_and(|params| [RESPONSES, STATE].iter().any(|key| params.get(key).is_some()))
}

impl InputRequired {
    /// Parses a result; `None` if it is of another type.
    pub fn parse(result: &RawValue) -> Result<Option<Self>, Error> {
        if !is_input_required(result) {
            return Ok(None);
        }
        let unreadable = |_| Error::Unreadable;
        let result = RawObject::parse(result.get().as_bytes()).map_err(unreadable)?;
        let requests = result.object("inputRequests").map_err(unreadable)?;
        let state = result.get(STATE).map(ToOwned::to_owned);
        let questions = match &requests {
            None if state.is_none() => return Err(Error::Unreadable),
            Some(requests) if requests.len() > MAX_QUESTIONS => return Err(Error::TooMany),
            requests => requests.iter().flat_map(RawObject::iter),
        };
        let questions = questions.map(|(key, request)| Question::parse(key, request));
        Ok(Some(Self {
            questions: questions.collect::<Result<_, _>>()?,
            state,
        }))
    }

    /// The parameters of the next round: those of the request, with the answers under the server's names, in the order of
    /// the questions.
    pub fn answer(&self, params: &mut RawObject, answers: Vec<Box<RawValue>>) {
        params.remove(RESPONSES);
        params.remove(STATE);
        if !self.questions.is_empty() {
            let mut responses = RawObject::new();
            for (question, answer) in self.questions.iter().zip(answers) {
                responses.set(&question.key, answer);
            }
            params.set(RESPONSES, responses.to_raw());
        }
        if let Some(state) = &self.state {
            params.set(STATE, state.clone());
        }
    }
}

impl Question {
    fn parse(key: &str, request: &RawValue) -> Result<Self, Error> {
        let unreadable = |_| Error::Unreadable;
        let request = RawObject::parse(request.get().as_bytes()).map_err(unreadable)?;
        let params = request.object("params").map_err(unreadable)?;
        let has = |key| {
            params
                .as_ref()
                .and_then(|params: &RawObject| params.get(key))
                .is_some()
        };
        let is_url = || {
            let mode = params.as_ref().and_then(|params| params.text("mode"));
            mode.as_deref() == Some("url")
        };
        let kind = match request.text("method").as_deref() {
            Some("roots/list") => Kind::Roots,
            Some("sampling/createMessage") if has("tools") => Kind::SamplingWithTools,
            Some("sampling/createMessage") => Kind::Sampling,
            Some("elicitation/create") if is_url() => Kind::Url,
            Some("elicitation/create") => Kind::Form,
            _ => return Err(Error::Unknown),
        };
        Ok(Self {
            key: key.to_owned(),
            kind,
            params,
        })
    }
}

impl Kind {
    /// The method of the legacy request.
    pub fn method(self) -> &'static str {
        match self {
            Self::Roots => "roots/list",
            Self::Sampling | Self::SamplingWithTools => "sampling/createMessage",
            Self::Form | Self::Url => "elicitation/create",
        }
    }

    /// The capability that a client who can answer has declared.
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Roots => &["roots"],
            Self::Sampling => &["sampling"],
            Self::SamplingWithTools => &["sampling", "tools"],
            Self::Form => &["elicitation"],
            Self::Url => &["elicitation", "url"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn parse(text: &str) -> Result<Option<InputRequired>, Error> {
        InputRequired::parse(&raw(text))
    }

    fn round(needed: &InputRequired, params: &str, answers: &[&str]) -> String {
        let mut params = RawObject::parse(params.as_bytes()).unwrap();
        needed.answer(&mut params, answers.iter().map(|answer| raw(answer)).collect());
        String::from_utf8(params.to_bytes()).unwrap()
    }

    #[test]
    fn the_next_round_has_the_exact_state_and_answers_and_nothing_of_the_round_before() {
        let needed = parse(
            r#"{"resultType":"input_required","requestState":"a\u0062 ","inputRequests":{"n":{"method":"elicitation/create","params":{"message":"?"}},"r":{"method":"roots/list"}}}"#,
        );
        let needed = needed.unwrap().unwrap();
        assert_eq!(
            round(
                &needed,
                r#"{"name":"t","inputResponses":{"old":1},"requestState":"old","arguments":{ "n":1e400 }}"#,
                &[r#"{ "action":"accept","content":{"x":1.0}}"#, r#"{"roots":[ ]}"#]
            ),
            r#"{"name":"t","arguments":{ "n":1e400 },"inputResponses":{"n":{ "action":"accept","content":{"x":1.0}},"r":{"roots":[ ]}},"requestState":"a\u0062 "}"#
        );
    }

    #[test]
    fn a_state_alone_asks_for_nothing_and_no_state_leaves_none() {
        let needed = parse(r#"{"resultType":"input_required","requestState":"s"}"#)
            .unwrap()
            .unwrap();
        assert!(needed.questions.is_empty());
        let next = round(&needed, r#"{"name":"t"}"#, &[]);
        assert_eq!(next, r#"{"name":"t","requestState":"s"}"#);
        let stateless =
            parse(r#"{"resultType":"input_required","inputRequests":{"r":{"method":"roots/list"}}}"#);
        let next = round(&stateless.unwrap().unwrap(), &next, &["{}"]);
        assert_eq!(next, r#"{"name":"t","inputResponses":{"r":{}}}"#);
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        assert!(
            parse(r#"{"resultType":"complete","content":[]}"#)
                .unwrap()
                .is_none()
        );
        assert!(parse(r#"{"inputRequests":{}}"#).unwrap().is_none());
        let with = |requests: &str| {
            let result = format!(r#"{{"resultType":"input_required","inputRequests":{requests}}}"#);
            parse(&result).map(drop).unwrap_err()
        };
        assert_eq!(with(r#"{"p":{"method":"ping"}}"#), Error::Unknown);
        assert_eq!(with("[]"), Error::Unreadable);
        assert_eq!(
            with(r#"{"p":{"method":"roots/list","params":1}}"#),
            Error::Unreadable
        );
        let nothing = parse(r#"{"resultType":"input_required"}"#);
        assert_eq!(nothing.map(drop).unwrap_err(), Error::Unreadable);
        let many: Vec<_> = (0..=MAX_QUESTIONS)
            .map(|n| format!(r#""{n}":{{"method":"roots/list"}}"#))
            .collect();
        assert_eq!(with(&format!("{{{}}}", many.join(","))), Error::TooMany);
    }

    #[test]
    fn each_question_needs_its_own_capability() {
        for (request, needs) in [
            (r#"{"method":"roots/list"}"#, &["roots"][..]),
            (
                r#"{"method":"sampling/createMessage","params":{}}"#,
                &["sampling"],
            ),
            (
                r#"{"method":"sampling/createMessage","params":{"tools":[]}}"#,
                &["sampling", "tools"],
            ),
            (
                r#"{"method":"elicitation/create","params":{"mode":"form"}}"#,
                &["elicitation"],
            ),
            (
                r#"{"method":"elicitation/create","params":{"mode":"url"}}"#,
                &["elicitation", "url"],
            ),
        ] {
            assert_eq!(Question::parse("k", &raw(request)).unwrap().kind.needs(), needs);
        }
    }
}
