//! Delete all that is an account's, and the account.

use anyhow::Context as _;
use store::media::{MediaKind, MediaPath};
use store::queue::DeleteAccount;
use store::{leaving, media, profile, user};

use crate::Context;

/// Safe to repeat, and to stop in the middle: it takes what is left. An account that has not left is not touched.
pub(crate) async fn run(context: Context, job: DeleteAccount) -> anyhow::Result<()> {
    let id = job.user_id;
    let mut db = context.db.acquire().await?;
    if !user::has_left(&mut db, id).await? {
        tracing::info!(user_id = %id, "has not left, or is gone");
        return Ok(());
    }
    // The picture first: afterwards nothing would name it.
    let avatar = profile::find(&mut db, id).await?.and_then(|profile| profile.avatar_path);
    drop(db);
    if let Some(path) = avatar.and_then(|path| MediaPath::parse(&path, MediaKind::Avatar, id.0)) {
        media::delete(&context.files, &path).await.context("delete the avatar")?;
    }
    leaving::take_apart(&context.db, id)
        .await
        .with_context(|| format!("user `{id}`"))?;
    tracing::info!(user_id = %id, "deleted an account");
    Ok(())
}
