//! Headers that every answer to a browser should have.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// Keeps browsers from taking an answer for something else than it says it is.
pub fn harden(response: &mut HttpResponse) {
    let headers: &mut HeaderMap = response.headers_mut();
    if !headers.contains_key(header::X_CONTENT_TYPE_OPTIONS) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
}
