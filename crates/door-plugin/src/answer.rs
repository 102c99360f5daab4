//! What this door answers: refusals, and the answers of functions.

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use msp_core::{
    Body, CallRefusal, Denied, Identity, Output, Refusal as CoreRefusal, Replies, Response, RunError,
    json_size,
};
use msp_http::{Budget, UnderWay};
use msp_protocol::FunctionName;
use serde_json::{Value, json};

use crate::access::Key;

/// Headers that are the connection's business and not a function's.
const OURS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::DATE,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::STRICT_TRANSPORT_SECURITY,
];

/// Why a request brings nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The arguments do not fit, for this reason.
    Arguments(String),
    /// At a limit.
    Busy,
    /// What runs the function ended.
    Crashed,
    /// The function failed, or answered what cannot be sent.
    Failed,
    /// No document may be had.
    Forbidden,
    /// The body cannot be read, for this reason.
    Malformed(String),
    /// A method the route does not have; with those it has.
    Method(&'static str),
    /// Nothing is there.
    NotFound,
    /// A web page that may not ask.
    Origin,
    /// No such plugin.
    PluginUnknown(String),
    /// Plugins that do not load: what was asked for, and of all the files and the plugins that there are.
    ReloadFailed(String, Option<(Vec<String>, Vec<String>)>),
    /// The configuration is faulty, for this reason.
    SettingsFaulty(String),
    /// It took longer than its limit.
    Timeout,
    /// Plain HTTP.
    TlsRequired,
    /// The body is too large.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// No key that opens it.
    Unauthorized,
    /// The body is said to be in a form that is not read here, for this reason.
    Unsupported(String),
}

impl Refusal {
    /// What a call that brought nothing is to its caller.
    pub(crate) fn of_call(refusal: &CallRefusal) -> Self {
        match refusal {
            CallRefusal::Run(RunError::BadArguments(why)) => Self::Arguments(why.clone()),
            CallRefusal::Run(RunError::Busy)
            | CallRefusal::RateLimited
            | CallRefusal::Denied(Denied::Loading) => Self::Busy,
            CallRefusal::Run(RunError::Crashed(_)) => Self::Crashed,
            CallRefusal::Run(RunError::Timeout) => Self::Timeout,
            CallRefusal::Run(RunError::Failed(_) | RunError::TooLarge)
            | CallRefusal::AnswerTooLarge
            | CallRefusal::NotText => Self::Failed,
            CallRefusal::NotLoaded(_) | CallRefusal::Denied(Denied::Unknown) => Self::NotFound,
            CallRefusal::Denied(Denied::AboveCeiling | Denied::EnvelopeOnly | Denied::Forbidden) => {
                Self::Unauthorized
            }
        }
    }

    /// The status, and its text for the ring and the counters.
    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Arguments(_) | Self::Malformed(_) => (StatusCode::BAD_REQUEST, "400"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "503"),
            Self::Crashed => (StatusCode::BAD_GATEWAY, "502"),
            Self::Failed | Self::ReloadFailed(..) | Self::SettingsFaulty(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "500")
            }
            Self::Forbidden | Self::Origin | Self::TlsRequired | Self::Unauthorized => {
                (StatusCode::FORBIDDEN, "403")
            }
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "405"),
            Self::NotFound | Self::PluginUnknown(_) => (StatusCode::NOT_FOUND, "404"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "504"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "413"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "408"),
            Self::Unsupported(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "415"),
        }
    }

    /// The status as the ring and the counters have it.
    pub(crate) const fn label(&self) -> &'static str {
        self.status().1
    }

    fn text(&self) -> String {
        match self {
            Self::Arguments(why) => format!("bad arguments: {why}"),
            Self::Busy => "busy".to_owned(),
            Self::Crashed => "bad gateway".to_owned(),
            Self::Failed => "internal error".to_owned(),
            Self::Forbidden => "forbidden".to_owned(),
            Self::Malformed(why) | Self::Unsupported(why) => why.clone(),
            Self::Method(_) => "method not allowed".to_owned(),
            Self::NotFound => "not found".to_owned(),
            Self::Origin => "origin not allowed".to_owned(),
            Self::PluginUnknown(name) => format!("Plugin \"{name}\" not found"),
            Self::ReloadFailed(name, _) => format!("Failed to reload plugin {name}"),
            Self::SettingsFaulty(why) => why.clone(),
            Self::Timeout => "timeout".to_owned(),
            Self::TlsRequired => "tls_required".to_owned(),
            Self::TooLarge => "too large".to_owned(),
            Self::TooSlow => "the request did not arrive in time".to_owned(),
            Self::Unauthorized => "unauthorized".to_owned(),
        }
    }
}

/// The refusal as a response.
pub(crate) fn refuse(refusal: &Refusal) -> HttpResponse {
    let mut response = HttpResponse::build(refusal.status().0);
    match refusal {
        Refusal::Method(allowed) => response.insert_header((header::ALLOW, *allowed)),
        Refusal::Busy => response.insert_header((header::RETRY_AFTER, "1")),
        _ => &mut response,
    };
    if *refusal == Refusal::Origin {
        return response.content_type("text/plain; charset=utf-8").body(refusal.text());
    }
    let error = refusal.text();
    if let Refusal::ReloadFailed(_, Some((failed, loaded))) = refusal {
        let status = "Some plugins failed to reload";
        let body = json!({ "error": error, "status": status, "failed": failed, "loaded_plugins": loaded });
        return response.json(body);
    }
    response.json(json!({ "error": error }))
}

/// What this door carries: anything of this length, and streams of any.
pub(crate) struct RestReplies<'a> {
    pub(crate) longest: usize,
    pub(crate) function: &'a FunctionName,
    pub(crate) identity: &'a Identity,
    pub(crate) key: &'a Key,
}

impl Replies for RestReplies<'_> {
    fn carry(&self, output: &Output) -> Result<(), CallRefusal> {
        let length = match output {
            Output::Response(response) => response.body().len().unwrap_or_default(),
            Output::Value(Value::String(text)) => text.len(),
            Output::Value(value) => json_size(value, self.longest),
        };
        if length > self.longest { Err(CallRefusal::AnswerTooLarge) } else { Ok(()) }
    }

    fn told(&self, refusal: &CallRefusal) -> &'static str {
        Refusal::of_call(refusal).label()
    }

    /// Who is not let in has a key that does not open it, or none.
    fn reason(&self, refusal: &CallRefusal) -> Option<Box<dyn CoreRefusal + '_>> {
        let is_forbidden = *refusal == CallRefusal::Denied(Denied::Forbidden);
        is_forbidden.then(|| Box::new(self.key.reason(self.identity, self.function)) as _)
    }
}

/// A function's answer as a response: text as text, other values as JSON, a response as it is.
///
/// # Errors
/// [`Refusal::Failed`] for headers that the HTTP library does not take, [`Refusal::Busy`] when there are too many streams.
pub(crate) fn send(
    output: Output,
    budget: &Budget,
    under_way: Option<UnderWay>,
) -> Result<HttpResponse, Refusal> {
    match output {
        Output::Response(response) => respond(response, budget, under_way),
        Output::Value(Value::String(text)) => {
            Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
        }
        Output::Value(value) => {
            Ok(HttpResponse::Ok().content_type("application/json").body(value.to_string()))
        }
    }
}

fn respond(
    response: Response,
    budget: &Budget,
    under_way: Option<UnderWay>,
) -> Result<HttpResponse, Refusal> {
    let (status, headers, body) = response.into_parts();
    let status = StatusCode::from_u16(status).map_err(|_| Refusal::Failed)?;
    let mut response = HttpResponse::new(status);
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::Failed)?;
        if !OURS.contains(&header) {
            let value = HeaderValue::from_str(&value).map_err(|_| Refusal::Failed)?;
            response.headers_mut().append(header, value);
        }
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(response);
    }
    match body {
        Body::Bytes(bytes) => Ok(response.set_body(bytes).map_into_boxed_body()),
        Body::Stream(stream) => {
            let place = budget.take().ok_or(Refusal::Busy)?;
            Ok(match under_way {
                Some(call) => response.set_body(BoxBody::new(BodyStream::new(call.during(place, stream)))),
                None => response.set_body(BoxBody::new(BodyStream::new(stream))),
            })
        }
    }
}
