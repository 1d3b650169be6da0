//! `shapan publish`: asks for a release, gives the assessor's opinion, approves; each as the account that may.

use identity::Actor;
use model::{Decision, Opinion, RequestState};
use review::Request;

use crate::command::PublishArgs;
use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;

/// Asks for a release, or goes on with the request that is open.
pub(crate) async fn run(args: &PublishArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let portal = Portal::open(&config).await?;
    // Everybody who is to act is there before anything is done.
    let officer = load(&portal, args.user.as_deref()).await?;
    let assessor = load(&portal, args.assess_as.as_deref()).await?;
    let reviewer = load(&portal, args.approve_as.as_deref()).await?;
    let mut request = match officer {
        Some(officer) => {
            let request = portal
                .review
                .submit_release(&officer, &args.dataset, &args.note)
                .await?;
            say(&format!(
                "{}: release request {} is submitted",
                args.dataset, request.id
            ));
            request
        }
        None => find_open(&portal, args).await?,
    };
    if let Some(assessor) = assessor {
        let reason = args.opinion.as_deref().unwrap_or_default();
        let review = &portal.review;
        request = review
            .give_opinion(&assessor, request.id, request.revision, Opinion::Safe, reason)
            .await?;
        say(&format!("{}: the assessor finds it safe", args.dataset));
    }
    if let Some(reviewer) = reviewer {
        if request.state == RequestState::AwaitingOpinion {
            return Err(Failure::new(format!(
                "{} is {} and needs an assessor's opinion first: --assess-as USER --opinion REASON",
                args.dataset, request.level
            )));
        }
        let review = &portal.review;
        review
            .decide(
                &reviewer,
                request.id,
                request.revision,
                Decision::Approve,
                &args.reason,
                None,
            )
            .await?;
        say(&format!("{}: released", args.dataset));
    }
    Ok(())
}

async fn load(portal: &Portal, username: Option<&str>) -> Result<Option<Actor>, Failure> {
    match username {
        Some(username) => Ok(Some(portal.load_actor(username).await?)),
        None => Ok(None),
    }
}

async fn find_open(portal: &Portal, args: &PublishArgs) -> Result<Request, Failure> {
    let none = || {
        Failure::new(format!(
            "{} has no open release request; submit one with --as OFFICER",
            args.dataset
        ))
    };
    let dataset = db::dataset::find_by_slug(portal.db.read(), &args.dataset)
        .await?
        .ok_or_else(none)?;
    db::request::find_open_release(portal.db.read(), dataset.id)
        .await?
        .ok_or_else(none)
}
