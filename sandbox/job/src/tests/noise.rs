//! Drawing noise takes its time, and nobody else's.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use db::testing::TestDatabase;
use privacy::{NoiseError, NoiseSource, Scale};
use sandbox_worker::{PLANNER, PlannerLimits};

use super::{World, planners};
use crate::Price;

db::on_both_databases!(others_are_served_while_noise_is_drawn);

/// Whether somebody else was served.
type Served = Arc<(Mutex<bool>, Condvar)>;

/// Takes as long to draw as somebody else takes to be served; gives up after a minute.
#[derive(Debug)]
struct Slow(Served);

impl Slow {
    fn draw(&self) -> Result<(), NoiseError> {
        let (served, told) = &*self.0;
        let waiting =
            told.wait_timeout_while(served.lock().unwrap(), Duration::from_secs(60), |served| !*served);
        if waiting.unwrap().1.timed_out() {
            return Err(NoiseError::Sampler("nobody else was served".to_owned()));
        }
        Ok(())
    }
}

impl NoiseSource for Slow {
    fn gaussian(&mut self, _: Scale) -> Result<i128, NoiseError> {
        self.draw().map(|()| 0)
    }

    fn laplace(&mut self, _: Scale) -> Result<i128, NoiseError> {
        self.draw().map(|()| 0)
    }

    fn choose(&mut self, _: &[i64], _: Scale) -> Result<usize, NoiseError> {
        self.draw().map(|()| 0)
    }
}

/// One thread serves everybody here: were noise drawn on it, the estimate would wait for the noise, and the noise for it.
async fn others_are_served_while_noise_is_drawn(test: TestDatabase) {
    let served = Served::default();
    let planners = planners(&[PLANNER], PlannerLimits::default());
    let noise = Box::new(Slow(Arc::clone(&served)));
    let world = World::with(&test, false, planners, noise).await;
    let project = world.open_project().await;
    let question = world.question();
    let job = world
        .sandbox
        .submit(&world.analyst, project.id, &question, 0.1)
        .await
        .unwrap();
    let other = async {
        // The draw has begun by then, or begins while this is computed.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let price = Price::Epsilon(0.1);
        let question = world.question();
        let told = world
            .sandbox
            .estimate(&world.analyst, project.id, &question, &price)
            .await;
        assert!(told.unwrap().questions_left > 0);
        let (flag, told) = &*served;
        *flag.lock().unwrap() = true;
        told.notify_all();
    };
    tokio::join!(world.answer(job.job.id), other);
    let stored = db::job::load(world.db.read(), job.job.id).await.unwrap();
    assert!(stored.result.is_some());
}
