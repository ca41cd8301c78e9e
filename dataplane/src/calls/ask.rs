//! What a client asks of one server beside tools: prompts, resources and completions.
//!
//! [`super::Context`] hands it each of these requests; [`super::forward`] relays it. Invariant: a request goes to no server
//! whose scopes the caller lacks, and a name that no server listed goes to none at all.

use asyncmcp_protocol::{RawObject, Request};

use super::audit::{self, Decision};
use super::target::Target;
use super::{Context, forward, permit};
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::Error;
use crate::caller::respond::access::Refusal;
use crate::servers::catalogue::{Prompt, ResolvedPrompt};

/// The longest name of a prompt and the longest URI that are looked for. No server's list has a longer one.
const MAX_NAME: usize = 128;
const MAX_URI: usize = 8192;

/// What answers a request.
enum Way {
    /// This server, then the others until one knows what it is about.
    Servers(Target, Vec<Target>),
    /// The gateway: nothing is completed there.
    NoCompletions,
}

/// Why a request reaches no server.
enum Refused {
    Error(Error),
    /// By the HTTP status as well.
    Forbidden(Box<Refusal>),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Forbidden(Box::new(refusal))
    }
}

/// Whether requests of this method are answered here.
pub(super) fn answers(method: &str) -> bool {
    matches!(method, "prompts/get" | "resources/read" | "completion/complete")
}

/// Relays the request to the server that it is about.
pub(super) async fn answer(context: &Context, request: Request, mut operation: Operation) -> Answer {
    let method = request.method.clone();
    let log = |server: Option<&str>, decision| audit::asked(&context.caller, &method, server, decision);
    match way(context, &request).await {
        Ok(Way::Servers(target, others)) => {
            log(Some(&target.server), Decision::Relayed);
            forward::first_of(context, (target, others), request, operation).await
        }
        Ok(Way::NoCompletions) => Answer::result(request.id, &nothing().to_raw()),
        Err(Refused::Error(error)) => {
            log(None, Decision::Refused(error.code().reason()));
            Answer::refusal(&error, request.id, &mut operation)
        }
        Err(Refused::Forbidden(refusal)) => {
            log(None, Decision::Refused(refusal.error.reason()));
            operation.failed(refusal.error.reason());
            Answer::Forbidden((*refusal).into(), request.id)
        }
    }
}

async fn way(context: &Context, request: &Request) -> Result<Way, Refused> {
    if context.config.route.deleting {
        return Err(Error::Closing.into());
    }
    let none = RawObject::new();
    let params = request.params.as_ref().unwrap_or(&none);
    match request.method.as_str() {
        "prompts/get" => {
            let name = params.text("name");
            let name = name.ok_or(Error::Params("params.name must be a string: the prompt to get"))?;
            let prompt = prompt(context, name).await?;
            Ok(Way::Servers(Target::of_prompt(&prompt, &["name"]), Vec::new()))
        }
        "resources/read" => {
            let uri = params.text("uri");
            let uri = uri.ok_or(Error::Params("params.uri must be a string: the resource to read"))?;
            readers(context, uri).await
        }
        _ => completer(context, params).await,
    }
}

async fn prompt(context: &Context, name: String) -> Result<Prompt, Refused> {
    if name.len() > MAX_NAME {
        return Err(Error::UnknownPrompt(name).into());
    }
    match context.calls.catalogue.resolve_prompt(&name).await {
        ResolvedPrompt::Prompt(prompt) => {
            permit::server(context, &prompt.server)?;
            Ok(prompt)
        }
        ResolvedPrompt::Unknown => Err(Error::UnknownPrompt(name).into()),
        ResolvedPrompt::Unavailable { server } => Err(Error::Unavailable(server).into()),
    }
}

/// The servers that may know the URI, in the order in which they are asked.
async fn readers(context: &Context, uri: String) -> Result<Way, Refused> {
    if uri.len() > MAX_URI {
        return Err(Error::UnknownResource(uri).into());
    }
    let readers = context.calls.catalogue.readers(&uri).await;
    let mut targets = Vec::new();
    for server in &readers.named {
        permit::server(context, server)?;
        targets.push(Target::of_server(server));
    }
    let is_open = |server: &&String| permit::server(context, server).is_ok();
    let is_there = |server: &&String| context.calls.catalogue.is_there(server);
    let (there, mut away): (Vec<_>, Vec<_>) = readers.others.iter().filter(is_open).partition(is_there);
    targets.extend(there.into_iter().map(|server| Target::by_chance(server)));
    away.extend(readers.unknown.iter().filter(is_open));
    match (targets.is_empty(), away.first()) {
        (false, _) => Ok(Way::Servers(targets.remove(0), targets)),
        (true, Some(server)) => Err(Error::Unavailable((*server).clone()).into()),
        (true, None) => Err(Error::UnknownResource(uri).into()),
    }
}

async fn completer(context: &Context, params: &RawObject) -> Result<Way, Refused> {
    const REFERENCE: Error =
        Error::Params("params.ref must be {type: \"ref/prompt\", name} or {type: \"ref/resource\", uri}");
    let reference = params.object("ref").ok().flatten().ok_or(REFERENCE)?;
    let named = |member| reference.text(member).ok_or(REFERENCE);
    let target = match reference.text("type").as_deref() {
        Some("ref/prompt") => {
            let prompt = prompt(context, named("name")?).await?;
            Target::of_prompt(&prompt, &["ref", "name"])
        }
        Some("ref/resource") => template(context, named("uri")?).await?,
        _ => return Err(REFERENCE.into()),
    };
    if !context.calls.catalogue.completes(&target.server) {
        return Ok(Way::NoCompletions);
    }
    Ok(Way::Servers(target, Vec::new()))
}

/// The server that a template, or a URI that comes of one, belongs to.
async fn template(context: &Context, uri: String) -> Result<Target, Refused> {
    if uri.len() > MAX_URI {
        return Err(Error::UnknownTemplate(uri).into());
    }
    let Some(server) = context.calls.catalogue.completer(&uri).await else {
        return Err(Error::UnknownTemplate(uri).into());
    };
    permit::server(context, &server)?;
    Ok(Target::of_server(&server))
}

/// A completion without values.
fn nothing() -> RawObject {
    let mut completion = RawObject::new();
    completion.set_value("values", &[(); 0]);
    let mut result = RawObject::new();
    result.set("completion", completion.to_raw());
    result
}
