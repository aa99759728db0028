//! Tests of the connections.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::SqliteOptions;

#[tokio::test]
async fn readers_that_are_all_in_use_are_told_by_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path().join("app.db")).readers(2);
    let connections = crate::open::open(&options).await.unwrap().connections;
    let (inside, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let mut holders = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (connections, inside, leave) =
            (Arc::clone(&connections), Arc::clone(&inside), Arc::clone(&leave));
        holders.spawn(async move {
            let read = connections.read("hold", move |_, _| {
                Box::pin(async move {
                    inside.add_permits(1);
                    leave.acquire().await.unwrap().forget();
                    Ok(())
                })
            });
            read.await.unwrap();
        });
    }
    inside.acquire_many(2).await.unwrap().forget();
    // Nothing else is to be waited for: the time passes at once.
    tokio::time::pause();
    let read = connections.read("list executions", |_, _| Box::pin(async { Ok(()) }));
    let error = read.await.unwrap_err();
    tokio::time::resume();
    assert_eq!(
        error.to_string(),
        "the database is unavailable: list executions: none of 2 reading connections became free within 30s; there are as \
         many as `db_pool_size` less one, 4 at most"
    );
    assert!(error.is_transient());
    leave.add_permits(2);
    while let Some(holder) = holders.join_next().await {
        holder.unwrap();
    }
    connections.read("list executions", |_, _| Box::pin(async { Ok(()) })).await.unwrap();
    connections.close().await;
}
