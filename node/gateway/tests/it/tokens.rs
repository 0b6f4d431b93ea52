//! Goal: a token that was taken away, or whose time is over, is refused by a running gateway. Method: the tokens' file is changed under
//! it, also into one that cannot be read.

use std::time::Duration;

use testamur_gateway::tokens::{Token, Tokens, load_last_used};
use testamur_primitives::units::UnixTime;

use crate::world::World;

async fn code_of(world: &World, token: &str, expected: &str) {
    let mut code = String::new();
    for _ in 0..200 {
        let answer = world.send(world.bare("GET", "/v1/status").bearer_auth(token)).await;
        code = if answer.status == 200 { "taken".into() } else { answer.problem().1 };
        if code == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{code} in place of {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_away_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let label = |text: &str| text.parse().unwrap();
    let (one, two, later) = (Token::generate().unwrap(), Token::generate().unwrap(), Token::generate().unwrap());
    let mut tokens = Tokens::new();
    tokens.add(label("one"), &one, UnixTime(1)).unwrap();
    tokens.add(label("two"), &two, UnixTime(1)).unwrap();
    tokens.save(&path).unwrap();
    let world = World::with(1, |config| {
        config.tokens = Tokens::load(&path).unwrap();
        config.tokens_file = Some(path.clone());
    })
    .await;
    code_of(&world, one.as_str(), "taken").await;
    code_of(&world, later.as_str(), "gateway.token-wrong").await;
    tokens.revoke(&label("one"), UnixTime(2));
    tokens.expire(&label("two"), UnixTime(2));
    tokens.add(label("later"), &later, UnixTime(2)).unwrap();
    tokens.save(&path).unwrap();
    code_of(&world, one.as_str(), "gateway.token-revoked").await;
    code_of(&world, two.as_str(), "gateway.token-expired").await;
    code_of(&world, later.as_str(), "taken").await;
    // A file that cannot be read changes nothing, and lets nobody in again.
    std::fs::write(&path, "{").unwrap();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    code_of(&world, later.as_str(), "taken").await;
    code_of(&world, one.as_str(), "gateway.token-revoked").await;
    let used = load_last_used(&path);
    assert!(used[&label("later")].0 > 1_700_000_000 && used[&label("later")].0.is_multiple_of(60), "{used:?}");
    assert!(!used.contains_key(&label("two")), "a refused token was not used");
}
