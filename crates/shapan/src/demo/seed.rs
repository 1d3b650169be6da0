//! The city's story: what its people published, asked for, decided and computed before the visitor came.

use std::time::Duration;

use catalog_entry::NewEntry;
use catalog_ingest::IngestOptions;
use demo::organization::TRANSPORT;
use demo::{City, CsvEncoding, Scale, Table, Text, write_csv, write_parquet_into};
use futures::{StreamExt as _, TryStreamExt as _};
use identity::Actor;
use model::{Decision, JobState, Opinion, ProjectId, RequestState, Slug};
use review::{AccessApplication, Request};
use storage::Spool;

use super::account::{self, People};
use super::entry;
use crate::command::DemoArgs;
use crate::failure::Failure;
use crate::portal::Portal;
use crate::progress;

/// What the city's randomness comes from.
const SEED: u64 = 20_260_101;
/// What that of the pilot's and the draft's comes from.
const OTHER_SEED: u64 = 20_260_102;
/// Tables that are made and read side by side: one is written while another is read.
const SIDE_BY_SIDE: usize = 2;
/// How long the first private job may take from its charge to its release.
const JOB_PATIENCE: Duration = Duration::from_secs(120);
/// ε of the finished job.
const EPSILON: f64 = 0.2;

/// Seeds an empty portal whose background work runs.
pub(super) async fn seed(portal: &Portal, args: &DemoArgs) -> Result<(), Failure> {
    let people = account::create(portal, &args.data).await?;
    let city = City::new(SEED, args.scale);
    let story = Story { portal, people, city };
    let bar = progress::spinner()?;
    // The largest first, so that the small ones fill the gaps.
    let tables = futures::stream::iter(Table::ALL).map(|table| {
        let (story, bar) = (&story, &bar);
        async move {
            story.publish(table).await?;
            bar.set_message(format!("{} is released", table.slug()));
            Ok::<_, Failure>(())
        }
    });
    tables.buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
    let (used, (), (), ()) = tokio::try_join!(
        story.use_trips(),
        story.wait_for_the_assessor(),
        story.return_with_reasons(),
        story.leave_a_draft(),
    )?;
    story.wait_for_the_reviewer().await?;
    bar.set_message("the first private job is computed");
    story.compute(used).await?;
    bar.finish_and_clear();
    Ok(())
}

struct Story<'a> {
    portal: &'a Portal,
    people: People,
    city: City,
}

impl Story<'_> {
    /// A table from its entry to its release.
    async fn publish(&self, table: Table) -> Result<(), Failure> {
        let spec = table.spec(self.city.scale);
        let officer = self.people.officer(spec.department.slug)?;
        let new = entry::of(&spec)?;
        let slug = new.slug.clone();
        let what = format!("publish the demo's {slug}");
        let published = async {
            self.portal.catalog.create(officer, new).await?;
            let city = self.city;
            self.upload(officer, &slug, format!("{slug}.parquet"), move |spool| {
                Ok(write_parquet_into(&city, table, spool)?.0)
            })
            .await?;
            let request = self
                .portal
                .review
                .submit_release(officer, &slug, "请审核发布，元数据与分级已核对。")
                .await?;
            let request = self.assess(request).await?;
            self.approve(&request).await
        };
        published
            .await
            .map_err(|failure| Failure::new(format!("cannot {what}: {failure}")))
    }

    /// Uploads what `write` makes, and waits until it is read.
    async fn upload(
        &self,
        officer: &Actor,
        slug: &Slug,
        name: String,
        write: impl FnOnce(Spool) -> Result<Spool, Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let catalog = &self.portal.catalog;
        let (dataset, spool) = catalog.begin_upload(officer, slug).await?;
        let spool = tokio::task::spawn_blocking(move || write(spool)).await??;
        let options = IngestOptions::default();
        let (_, task) = catalog
            .finish_upload(officer, &dataset, spool, &name, &options)
            .await?;
        progress::follow(&self.portal.db, task, None).await?;
        Ok(())
    }

    /// The assessor's opinion, where the level asks for one.
    async fn assess(&self, request: Request) -> Result<Request, Failure> {
        if request.state != RequestState::AwaitingOpinion {
            return Ok(request);
        }
        let reason =
            "申报元数据与脱敏规则相符：标识不进入沙箱副本，单元上限与数值范围合理，同意按所申报级别发布。";
        let review = &self.portal.review;
        let assessor = &self.people.assessor;
        Ok(review
            .give_opinion(assessor, request.id, request.revision, Opinion::Safe, reason)
            .await?)
    }

    async fn approve(&self, request: &Request) -> Result<(), Failure> {
        let reason = "材料齐全，分级适当，同意发布。";
        let review = &self.portal.review;
        review
            .decide(
                &self.people.reviewer,
                request.id,
                request.revision,
                Decision::Approve,
                reason,
                None,
            )
            .await?;
        Ok(())
    }

    /// An enterprise's approved use of the trips.
    async fn use_trips(&self) -> Result<ProjectId, Failure> {
        let application = AccessApplication {
            datasets: vec![Slug::parse(Table::BikeShareTrips.slug())?],
            purpose:
                "研究各区县共享单车出行需求的时空分布，为车辆调度和停放点位规划提供依据，成果以报告形式公开。"
                    .to_owned(),
            safeguards: "仅在沙箱内分析；结果由两名分析师复核后使用；账号专人专用，令牌每季度轮换。"
                .to_owned(),
            days: Some(180),
        };
        let review = &self.portal.review;
        let request = review
            .submit_access(&self.people.enterprise, &application)
            .await?;
        let reason = "用途明确，符合公共利益，保障措施可行，同意。";
        let decided = review
            .decide(
                &self.people.second_reviewer,
                request.id,
                request.revision,
                Decision::Approve,
                reason,
                None,
            )
            .await?;
        decided
            .project
            .ok_or_else(|| Failure::new("an approved access request opened no project"))
    }

    /// The first private job: estimated, charged, computed, released.
    async fn compute(&self, project: ProjectId) -> Result<(), Failure> {
        let sandbox = &self.portal.sandbox;
        let analyst = &self.people.enterprise;
        let sql = ::demo::queries::PRIVATE
            .iter()
            .find(|query| query.name == "q02")
            .map(|query| query.sql)
            .ok_or_else(|| Failure::new("the demo lacks its query q02"))?;
        sandbox
            .estimate(analyst, project, sql, &sandbox_job::Price::Epsilon(EPSILON))
            .await?;
        let job = sandbox.submit(analyst, project, sql, EPSILON).await?.job;
        let released = async {
            while sandbox.job(analyst, job.id).await?.job.state != JobState::Released {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, Failure>(())
        };
        tokio::time::timeout(JOB_PATIENCE, released).await.map_err(|_| {
            Failure::new(format!(
                "the demo's first private job was not released within {} s; the log says what its worker ran into",
                JOB_PATIENCE.as_secs()
            ))
        })?
    }

    /// A request that lies in the reviewer's inbox.
    async fn wait_for_the_reviewer(&self) -> Result<(), Failure> {
        let application = AccessApplication {
            datasets: vec![Slug::parse(Table::EnterpriseTax.slug())?],
            purpose: "评估各行业、各区县企业营收景气度，编制季度产业运行指数并向社会发布。".to_owned(),
            safeguards: "指数仅使用沙箱输出的脱敏聚合结果；不尝试识别任何企业；项目结束后提交使用报告。"
                .to_owned(),
            days: Some(90),
        };
        self.portal
            .review
            .submit_access(&self.people.second_enterprise, &application)
            .await?;
        Ok(())
    }

    /// A release that waits for the assessor: the pilot of a new area, smaller than the city.
    async fn wait_for_the_assessor(&self) -> Result<(), Failure> {
        let scale = Scale::new((self.city.scale.factor() / 100.0).max(Scale::LEAST))?;
        let pilot = City::new(OTHER_SEED, scale);
        let mut new = entry::of(&Table::BikeShareTrips.spec(scale))?;
        rename(
            &mut new,
            "bike-share-pilot",
            Text {
                zh: "共享单车骑行记录（沐川新区试点）",
                en: "Bike-share trips (Muchuan New Area pilot)",
            },
        )?;
        let officer = self.people.officer(TRANSPORT.slug)?;
        let slug = new.slug.clone();
        self.portal.catalog.create(officer, new).await?;
        self.upload(
            officer,
            &slug,
            "沐川新区试点骑行记录.parquet".to_owned(),
            move |spool| Ok(write_parquet_into(&pilot, Table::BikeShareTrips, spool)?.0),
        )
        .await?;
        self.portal
            .review
            .submit_release(officer, &slug, "试点数据，申请按较敏感级别纳入沙箱。")
            .await?;
        Ok(())
    }

    /// A second version of the bike parking places that came back with reasons.
    async fn return_with_reasons(&self) -> Result<(), Failure> {
        let officer = self.people.officer(TRANSPORT.slug)?;
        let slug = Slug::parse(Table::BikeParking.slug())?;
        let next = City::new(OTHER_SEED, self.city.scale);
        self.upload(
            officer,
            &slug,
            "bike-parking-2026Q2.parquet".to_owned(),
            move |spool| Ok(write_parquet_into(&next, Table::BikeParking, spool)?.0),
        )
        .await?;
        let review = &self.portal.review;
        let request = review.submit_release(officer, &slug, "二季度更新。").await?;
        let reason =
            "部分停放点容量与上一版本相差较大，请说明统计口径是否变化，并在摘要中补充更新说明后重新提交。";
        review
            .decide(
                &self.people.reviewer,
                request.id,
                request.revision,
                Decision::Return,
                reason,
                None,
            )
            .await?;
        Ok(())
    }

    /// A draft of the officer's, from a file as offices still save them.
    async fn leave_a_draft(&self) -> Result<(), Failure> {
        let scale = Scale::new((self.city.scale.factor() / 100.0).max(Scale::LEAST))?;
        let draft = City::new(OTHER_SEED, scale);
        let mut new = entry::of(&Table::TrafficIndex.spec(scale))?;
        rename(
            &mut new,
            "traffic-index-2026",
            Text {
                zh: "道路交通运行指数（2026年试行）",
                en: "Road traffic index (2026 trial)",
            },
        )?;
        let officer = self.people.officer(TRANSPORT.slug)?;
        let slug = new.slug.clone();
        self.portal.catalog.create(officer, new).await?;
        self.upload(
            officer,
            &slug,
            "道路交通运行指数2026试行.csv".to_owned(),
            move |mut spool| {
                let folder = tempfile::tempdir().map_err(Failure::cannot("make a temporary folder"))?;
                let path = folder.path().join("draft.csv");
                write_csv(&draft, Table::TrafficIndex, &path, CsvEncoding::Gb18030)?;
                let mut file = std::fs::File::open(&path).map_err(Failure::cannot("read back a draft"))?;
                std::io::copy(&mut file, &mut spool).map_err(Failure::cannot("take in a draft"))?;
                Ok(spool)
            },
        )
        .await
    }
}

fn rename(new: &mut NewEntry, slug: &str, title: Text) -> Result<(), Failure> {
    new.slug = Slug::parse(slug)?;
    new.metadata.title = entry::localized(title)?;
    Ok(())
}
