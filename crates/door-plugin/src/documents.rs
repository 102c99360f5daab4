//! Static documents: files of a folder, and nothing else of the machine.

use std::path::PathBuf;

use actix_files::NamedFile;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use msp_settings::Settings;

use crate::answer::Refusal;
use crate::settings::{DocumentsSettings, PluginSettings};
use msp_http::{Path, decoded};

/// A folder of documents that lays private files open; one line for the operator.
#[derive(Debug, thiserror::Error)]
#[error(
    "/{route} serves {folder}, which holds or lies in {private}, which nobody may read; move one of them"
)]
pub struct ExposedDocuments {
    route: String,
    folder: String,
    private: String,
}

/// The first folder of documents that would serve what is private.
#[must_use]
pub fn exposed(rules: &PluginSettings, settings: &Settings) -> Option<ExposedDocuments> {
    let settled = |path: &std::path::Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    // The code of plugins is not for everybody either, and beside it lie the files of their parameters.
    let private = settings.private_paths().into_iter().chain([rules.spec.folder.clone()]);
    let private: Vec<_> = private.filter_map(|path| settled(&path).ok()).collect();
    rules.documents.iter().find_map(|documents| {
        let folder = settled(&documents.folder).ok()?;
        let private = private.iter().find(|path| path.starts_with(&folder) || folder.starts_with(path))?;
        Some(ExposedDocuments {
            route: documents.route.clone(),
            folder: folder.display().to_string(),
            private: private.display().to_string(),
        })
    })
}

/// Answers with the document the path names, with `ETag`, `Last-Modified` and ranges.
pub(crate) async fn serve(
    request: &HttpRequest,
    documents: &DocumentsSettings,
    path: &Path,
) -> Result<HttpResponse, Refusal> {
    let relative = relative(&path.raw_rest).ok_or(Refusal::NotFound)?;
    let (folder, index) = (documents.folder.clone(), documents.index.clone());
    let asks_for_folder = path.raw_rest.ends_with('/');
    let found = tokio::task::spawn_blocking(move || find(folder, &relative, &index, asks_for_folder)).await;
    match found.unwrap_or(Found::Nothing) {
        Found::Nothing => Err(Refusal::NotFound),
        Found::Forbidden => Err(Refusal::Forbidden),
        Found::Folder => {
            // Relative, since a proxy may serve it under a path of its own.
            let name = request.path().rsplit('/').next().unwrap_or_default();
            let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
            let place = format!("./{name}/{query}");
            Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, place)).finish())
        }
        Found::File(file) => Ok(file
            .prefer_utf8(true)
            .disable_content_disposition()
            .into_response(request)
            .map_into_boxed_body()),
    }
}

/// The parts of the path, each a name of its own: none that is empty, hidden, or leads elsewhere.
fn relative(raw: &str) -> Option<PathBuf> {
    let parts = raw.strip_prefix('/').unwrap_or_default();
    let parts = parts.strip_suffix('/').unwrap_or(parts);
    if parts.is_empty() {
        return Some(PathBuf::new());
    }
    parts.split('/').map(|part| decoded(part).filter(|part| is_name(part))).collect()
}

fn is_name(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && !part.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'))
}

enum Found {
    File(Box<NamedFile>),
    /// A folder that was asked for as a file.
    Folder,
    Forbidden,
    Nothing,
}

/// Looks without following a link out of the folder.
fn find(folder: PathBuf, relative: &std::path::Path, index: &str, asks_for_folder: bool) -> Found {
    let Ok(inside) = folder.canonicalize() else { return Found::Nothing };
    let settled = |path: &std::path::Path| match path.canonicalize() {
        Ok(found) if found.starts_with(&inside) => Ok(found),
        Ok(_) => Err(Found::Forbidden),
        Err(_) => Err(Found::Nothing),
    };
    let found = settled(&inside.join(relative)).and_then(|found| match (found.is_dir(), asks_for_folder) {
        (true, true) => settled(&found.join(index)),
        (true, false) => Err(Found::Folder),
        (false, true) => Err(Found::Nothing),
        (false, false) => Ok(found),
    });
    match found {
        Ok(file) if file.is_file() => match NamedFile::open(file) {
            Ok(file) => Found::File(Box::new(file)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Found::Forbidden,
            Err(_) => Found::Nothing,
        },
        Ok(_) => Found::Nothing,
        Err(found) => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_24_no_way_to_write_a_path_leads_out() {
        let of = |raw: &str| relative(raw).map(|path| path.display().to_string());
        assert_eq!(of(""), Some(String::new()));
        assert_eq!(of("/"), Some(String::new()));
        assert_eq!(of("/a/b%20c.html"), Some("a/b c.html".to_owned()));
        assert_eq!(of("/a/"), Some("a".to_owned()));
        for out in [
            "//etc/passwd",
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/%2E%2e%2fx",
            "/..%2fx",
            "/a%2f..%2f..%2fx",
            "/..%5cx",
            "/\\..\\x",
            "/%00",
            "/%c0%ae%c0%ae/x",
            "/.hidden",
            "/a//b",
            "/%252e%252e/../x",
        ] {
            assert_eq!(of(out), None, "{out}");
        }
        // Decoded once only: this is a name, however odd.
        assert_eq!(of("/%252e%252e"), Some("%2e%2e".to_owned()));
    }
}
