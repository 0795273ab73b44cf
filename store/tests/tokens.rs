//! API tokens.

use store::token::{self, NewToken};
use store::user;
use test_support::TestDb;

#[tokio::test]
async fn a_token_speaks_for_its_user_until_it_is_revoked_and_is_never_stored_in_clear() {
    let db = TestDb::new().await;
    let mut connection = db.pool().acquire().await.unwrap();
    let user = user::create(&mut connection, "producer-001", "producer-001@example.org", user::NO_PASSWORD)
        .await
        .unwrap();
    let new = NewToken::generate().unwrap();
    assert_ne!(new, NewToken::generate().unwrap());
    assert_eq!(format!("{new:?}"), "NewToken(***)");
    let id = token::create(&mut connection, user, "laptop", &new, None).await.unwrap();
    let owner = token::find_owner(&mut connection, new.expose()).await.unwrap().unwrap();
    assert_eq!((owner.user_id, owner.is_admin, owner.use_is_stale), (user, false, true));
    token::touch(&mut connection, id).await.unwrap();
    let owner = token::find_owner(&mut connection, new.expose()).await.unwrap().unwrap();
    assert!(!owner.use_is_stale);
    let secret = new.expose().trim_start_matches("cookbook_");
    let in_clear = format!("SELECT COUNT(*) FROM api_tokens WHERE HEX(token_hash) = '{secret}' OR name LIKE '%{secret}%'");
    assert_eq!(db.integer(&in_clear).await, 0);
    assert!(
        token::find_owner(&mut connection, "cookbook_nonsense")
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(token::list(&mut connection, Some(user)).await.unwrap().len(), 1);
    assert_eq!(token::list(&mut connection, None).await.unwrap().len(), 1);
    assert!(token::revoke(&mut connection, id).await.unwrap());
    assert!(!token::revoke(&mut connection, id).await.unwrap());
    assert!(token::find_owner(&mut connection, new.expose()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_handle_or_address_that_is_taken_is_told_apart_from_other_errors() {
    let db = TestDb::new().await;
    let mut connection = db.pool().acquire().await.unwrap();
    user::create(&mut connection, "producer-001", "producer-001@example.org", user::NO_PASSWORD)
        .await
        .unwrap();
    let again = user::create(&mut connection, "producer-001", "producer-002@example.org", user::NO_PASSWORD).await;
    assert!(again.unwrap_err().is_duplicate());
    assert!(user::any_exists(&mut connection).await.unwrap());
}
