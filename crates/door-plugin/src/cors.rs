//! Which web pages may ask: the origin list and the ACL, judged before anything runs.
//!
//! A list of rules for a middleware would not do: what is refused is refused for scripts and servers alike, with 403,
//! and the rules change while the server runs.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use msp_settings::WebOrigin;

use crate::settings::CorsSettings;

const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";
/// Headers that a page may send, in lower case.
const HEADERS: [&str; 5] = ["content-type", "authorization", "x-requested-with", "accept", "x-custom-auth"];
const SEEN: &str = "Content-Length,X-Custom-Header";
const MAX_AGE: &str = "3600";

/// Every one that came: a request may say of itself that it comes from two.
fn origins(request: &HttpRequest) -> impl Iterator<Item = &HeaderValue> {
    request.headers().get_all(header::ORIGIN)
}

fn may_ask(cors: &CorsSettings, origin: &HeaderValue) -> bool {
    let listed = |text| WebOrigin::parse(text).is_some_and(|origin| allows(cors, &origin));
    origin.to_str().is_ok_and(|text| cors.any_origin || listed(text))
}

/// Refuses a request that comes from a page which may not ask.
///
/// # Errors
/// The origin, for the log.
pub(crate) fn admit(
    cors: Option<&CorsSettings>,
    request: &HttpRequest,
    is_control: bool,
) -> Result<(), String> {
    let Some(cors) = cors else { return Ok(()) };
    if let Some(origin) = origins(request).find(|origin| !may_ask(cors, origin)) {
        return Err(String::from_utf8_lossy(origin.as_bytes()).into_owned());
    }
    // What manages plugins is never for pages.
    let is_wanted = cors.require_origin && !is_control;
    if is_wanted && origins(request).next().is_none() { Err("(none)".to_owned()) } else { Ok(()) }
}

/// True when the origin is listed, or its host is one of the ACL, or lies in one.
fn allows(cors: &CorsSettings, origin: &WebOrigin) -> bool {
    let host = origin.host();
    let within =
        |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    cors.origins.contains(origin) || cors.acl.iter().any(|domain| within(domain))
}

/// The answer to a preflight of a page that may ask; none for any other request.
pub(crate) fn preflight(cors: Option<&CorsSettings>, request: &HttpRequest) -> Option<HttpResponse> {
    cors?;
    origins(request).next()?;
    let asked_for = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    if request.method() != Method::OPTIONS {
        return None;
    }
    let method_known = METHODS.split(", ").any(|method| method.as_bytes() == asked_for.as_bytes());
    let headers = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let headers = headers.map_or(Some(""), |headers| headers.to_str().ok());
    let headers_known = |headers: &&str| {
        let names = headers.split(',').map(|name| name.trim().to_ascii_lowercase());
        names.filter(|name| !name.is_empty()).all(|name| HEADERS.contains(&name.as_str()))
    };
    let Some(headers) = headers.filter(headers_known).filter(|_| method_known) else {
        return Some(HttpResponse::new(StatusCode::FORBIDDEN));
    };
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS));
    response.insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE));
    if !headers.is_empty() {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers));
    }
    Some(response.finish())
}

/// Tells the page's browser that it may read the answer, and caches that it depends on who asked.
pub(crate) fn mark(cors: Option<&CorsSettings>, request: &HttpRequest, response: &mut HttpResponse) {
    let Some(cors) = cors else { return };
    let headers = response.headers_mut();
    let theirs: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    if request.method() != Method::OPTIONS {
        // What a plugin says of this would loosen what the operator has set.
        theirs.into_iter().for_each(|name| drop(headers.remove(name)));
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) =
        origins(request).next().filter(|_| origins(request).all(|origin| may_ask(cors, origin)))
    else {
        return;
    };
    if cors.any_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SEEN));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str], acl: &[&str]) -> CorsSettings {
        let origins = origins.iter().filter_map(|text| WebOrigin::parse(text)).collect();
        let acl = acl.iter().map(|&text| text.to_owned()).collect();
        CorsSettings { origins, any_origin: false, acl, require_origin: false }
    }

    fn lets_in(cors: &CorsSettings, origin: &'static str) -> bool {
        may_ask(cors, &HeaderValue::from_static(origin))
    }

    #[test]
    fn plugin_20_the_acl_lets_a_domain_and_what_lies_in_it_in_and_nothing_that_looks_like_it() {
        let cors = rules(&["http://other.net:8080"], &["example.org"]);
        for origin in [
            "https://example.org",
            "https://a.example.org",
            "http://A.B.Example.org:8443",
            "http://other.net:8080",
            "HTTP://other.net:8080",
        ] {
            assert!(lets_in(&cors, origin), "{origin}");
        }
        for origin in [
            "https://badexample.org",
            "https://example.org.evil.net",
            "https://evil.net/example.org",
            "https://evil.net#.example.org",
            "https://user@example.org",
            "https://evil.net a.example.org",
            "https://evil.net, https://a.example.org",
            "https://evil.net%2e.example.org",
            "http://other.net",
            "https://other.net:8080",
            "null",
            "",
            "example.org",
        ] {
            assert!(!lets_in(&cors, origin), "{origin}");
        }
    }
}
