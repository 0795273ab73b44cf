//! Ids, one type a table, so that a workflow's id cannot stand where a user's is meant.

/// Declares an id: a transparent `u64` for sqlx, serde and display.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
            #[serde(transparent)]
            #[sqlx(transparent)]
            pub struct $name(pub u64);

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    self.0.fmt(f)
                }
            }

            impl From<u64> for $name {
                fn from(id: u64) -> Self {
                    Self(id)
                }
            }
        )*
    };
}

ids! {
    /// A row of `workflows`.
    WorkflowId,
    /// A row of `users`.
    UserId,
    /// A row of `workflow_tags`.
    TagId,
    /// A row of `api_tokens`.
    TokenId,
    /// A row of `workflow_comments`.
    CommentId,
    /// A row of `workflow_collections`.
    CollectionId,
    /// A row of `registrations`.
    RegistrationId,
}
