//! `[cors]`: which pages of other origins may call plugins.

use msp_settings::{Loaded, Setting, SettingsError, WebOrigin, host_name};

use super::keys;

/// `[cors]`, when it is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsSettings {
    /// Origins that are let in.
    pub origins: Vec<WebOrigin>,
    /// True when every origin is let in, without credentials.
    pub any_origin: bool,
    /// Hosts that are let in with all their sub-domains, in lower case.
    pub acl: Vec<String>,
    /// True when a request without an Origin is refused.
    pub require_origin: bool,
}

impl CorsSettings {
    /// What can match no request is left out and told.
    pub(super) fn read(loaded: &Loaded, warnings: &mut Vec<String>) -> Result<Option<Self>, SettingsError> {
        let enabled = loaded.get(&keys::CORS_ENABLED);
        if !enabled.value()? {
            return Ok(None);
        }
        let (origin_url, acl) = (loaded.get(&keys::ORIGIN_URL), loaded.get(&keys::ACL));
        let any_origin = origin_url.value()?.iter().any(|word| word == "*");
        let cors = Self {
            origins: keep(&origin_url, origin, "no origin such as https://app.example.net", warnings)?,
            any_origin,
            acl: keep(&acl, host, "no host name such as example.net", warnings)?,
            require_origin: loaded.read(&keys::REQUIRE_ORIGIN)?,
        };
        if cors.origins.is_empty() && cors.acl.is_empty() && !any_origin {
            warnings
                .push(enabled.warning("without origin_url and acl every request with an Origin is refused"));
        }
        Ok(Some(cors))
    }
}

fn keep<T>(
    setting: &Setting<'_, Vec<String>>,
    read: fn(&str) -> Option<T>,
    expected: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<T>, SettingsError> {
    let word = |word: String| {
        let kept = read(&word);
        if kept.is_none() && word != "*" {
            let word = word.chars().take(80).collect::<String>();
            warnings.push(setting.warning(&format!("{word:?} lets nobody in: it is {expected}")));
        }
        kept
    };
    Ok(setting.value()?.into_iter().filter_map(word).collect())
}

fn origin(word: &str) -> Option<WebOrigin> {
    WebOrigin::parse(word.trim_end_matches('/'))
}

fn host(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let host = word.trim_start_matches("*.").trim_start_matches('.');
    let name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    // An empty one would let in every host: each is a sub-domain of nothing.
    let legal = !host.is_empty() && (host.chars().all(name) || host.starts_with('['));
    if legal { host_name(host) } else { None }
}
