//! Goal: a caller finds what it sent by name, state and time, page by page, and nothing of anybody else's. Method: documents sent by two
//! callers, some of which cannot become final.

use serde_json::Value;

use crate::fake_node::Mood;
use crate::kept::{Kept, until};
use crate::world::World;

async fn list(world: &World, query: &str) -> Value {
    let answer = world.send(world.get(&format!("/v1/documents{query}"))).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.json()
}

async fn count(world: &World, query: &str) -> usize {
    list(world, query).await["documents"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_found_by_name_state_and_time() {
    let kept = Kept::new();
    let world = kept.world().await;
    for number in 0..5 {
        let path = format!("/v1/documents?ref=case-{}", number % 2);
        assert_eq!(world.send(world.post(&path).body(format!("document {number}"))).await.status, 200);
    }
    world.nodes[0].behave(Mood::Away);
    let queued = world.send(world.post("/v1/documents?async=1&ref=case-9").body("queued")).await.json();
    assert_eq!(queued["ref"], "case-9");
    let other = world.bare("POST", "/v1/documents?async=1&ref=case-0").bearer_auth(kept.other.as_str());
    assert_eq!(world.send(other.body("another's")).await.status, 202);

    assert_eq!(count(&world, "").await, 6);
    assert_eq!(count(&world, "?ref=case-0").await, 3);
    assert_eq!(count(&world, "?ref=case-1&state=final").await, 2);
    assert_eq!(count(&world, "?state=final").await, 5);
    assert_eq!(count(&world, "?state=refused").await, 0);
    let waiting = list(&world, "?state=queued").await;
    assert_eq!(waiting["documents"][0]["id"], queued["id"]);
    let now = testamur_client::author::now().unwrap().0;
    assert_eq!(count(&world, &format!("?from={}&until={}", now - 600, now + 600)).await, 6);
    assert_eq!(count(&world, &format!("?until={}", now - 600)).await, 0);

    // Page by page, over a restart: each once, the latest first.
    let (mut seen, mut href) = (Vec::new(), Some("/v1/documents?limit=2".to_owned()));
    let world = world.restart(|config| kept.configure(config)).await;
    while let Some(next) = href {
        let page = world.send(world.get(&next)).await.json();
        seen.extend(page["documents"].as_array().unwrap().iter().map(|found| found["created"].as_u64().unwrap()));
        assert!(page["documents"].as_array().unwrap().len() <= 2);
        href = page["next"].as_str().map(str::to_owned);
        assert!(href.as_ref().is_none_or(|next| next.contains("limit=2")), "{href:?}");
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|one, two| one >= two), "{seen:?}");
    world.nodes[0].behave(Mood::Well);
    until(&world, queued["href"].as_str().unwrap(), "final").await;
    assert_eq!(count(&world, "?state=queued").await, 0);

    for wrong in
        ["?limit=0", "?limit=1001", "?after=x", "?state=done", "?ref=a+b", "?from=-1", "?from=1&from=1", "?x=1"]
    {
        let answer = world.send(world.get(&format!("/v1/documents{wrong}"))).await;
        assert_eq!(answer.problem().1, "request.query", "{wrong}");
    }
    assert_eq!(world.send(world.bare("GET", "/v1/documents")).await.problem().1, "gateway.token-missing");
    let plain = World::new().await;
    assert_eq!(plain.send(plain.get("/v1/documents")).await.problem().1, "gateway.store-absent");
}
