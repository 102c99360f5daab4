//! What a caller proved to be.

use std::borrow::Cow;

use msp_protocol::{ClientName, Digest};

/// What a caller proved to be; what it may do with that is [`permit()`](crate::permit())'s to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nothing: whoever asks.
    Anybody,
    /// The holder of a named api key of the registry.
    ApiKey {
        /// SHA-256 of the key.
        digest: Digest,
        /// The key's name.
        name: ClientName,
    },
    /// An app that acts for a user.
    App {
        /// What stands for the app and its user together.
        id: Digest,
        /// The app's name.
        name: ClientName,
        /// The user's name.
        user: ClientName,
    },
    /// A client of the sealed door.
    Client {
        /// SHA-256 of its public key.
        key: Digest,
        /// The name of a linked one.
        name: Option<ClientName>,
    },
    /// The holder of the plugin door's own key, of this digest.
    DoorKey(Digest),
    /// The holder of a plugin's own key, of this digest.
    PluginKey(Digest),
    /// A user with an account.
    User {
        /// What stands for the user.
        id: Digest,
        /// The user's name.
        name: ClientName,
    },
}

impl Identity {
    /// What stands for it where callers are counted; none for anybody.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Anybody => None,
            Self::ApiKey { digest, .. } | Self::DoorKey(digest) | Self::PluginKey(digest) => Some(digest),
            Self::App { id, .. } | Self::User { id, .. } => Some(id),
            Self::Client { key, .. } => Some(key),
        }
    }

    /// The same for who has an entry in the registry, and not only a key in the configuration.
    #[must_use]
    pub const fn registered(&self) -> Option<&Digest> {
        match self {
            Self::Anybody | Self::DoorKey(_) | Self::PluginKey(_) => None,
            Self::ApiKey { .. } | Self::App { .. } | Self::Client { .. } | Self::User { .. } => self.digest(),
        }
    }

    /// The name of its entry in the registry.
    #[must_use]
    pub const fn name(&self) -> Option<&ClientName> {
        match self {
            Self::Anybody | Self::DoorKey(_) | Self::PluginKey(_) => None,
            Self::ApiKey { name, .. } | Self::App { name, .. } | Self::User { name, .. } => Some(name),
            Self::Client { name, .. } => name.as_ref(),
        }
    }

    /// How logs and `why` name it; none for anybody.
    #[must_use]
    pub fn label(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Anybody => return None,
            Self::ApiKey { name, .. } | Self::User { name, .. } | Self::Client { name: Some(name), .. } => {
                name.as_str().into()
            }
            Self::App { name, user, .. } => format!("{name} for {user}").into(),
            Self::Client { key, name: None } => key.fingerprint().into(),
            Self::DoorKey(_) => "the door's key".into(),
            Self::PluginKey(_) => "the plugin's key".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_says_who_it_is_and_where_it_is_known() {
        let (digest, name) = (Digest::of(b"a"), || "kim".parse().unwrap());
        let client = |name| Identity::Client { key: digest, name };
        let app = Identity::App { id: digest, name: "pocket".parse().unwrap(), user: name() };
        for (identity, label, registered) in [
            (Identity::ApiKey { digest, name: name() }, "kim", true),
            (app, "pocket for kim", true),
            (client(Some(name())), "kim", true),
            (client(None), "ca97-8112-ca1b-bdca", true),
            (Identity::DoorKey(digest), "the door's key", false),
            (Identity::PluginKey(digest), "the plugin's key", false),
            (Identity::User { id: digest, name: name() }, "kim", true),
        ] {
            assert_eq!(identity.label().as_deref(), Some(label));
            assert_eq!(identity.digest(), Some(&digest), "{label}");
            assert_eq!(identity.registered().is_some(), registered, "{label}");
            let named = registered && !label.starts_with("ca97");
            assert_eq!(identity.name().is_some(), named, "{label}");
        }
        assert_eq!(Identity::Anybody.label(), None);
        assert_eq!((Identity::Anybody.digest(), Identity::Anybody.registered()), (None, None));
        assert_eq!(Identity::Anybody.name(), None);
    }
}
