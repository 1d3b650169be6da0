//! Release and access requests, with the opinions and decisions on them.

use ledger::Nonce;
use model::{
    DatasetId, Decision, Level, Opinion, OrganizationId, RequestId, RequestKind, RequestState, Timestamp,
    UserId, VersionId,
};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::connection::{Connection, Tx};
use crate::entity::request::{ActiveModel, Column, Entity, Model};
use crate::entity::{dataset, decision, opinion, request_dataset};
use crate::error::Error;
use crate::statement::{ReadRows, UpdateOne};

/// Violated when an organisation gives a second opinion on a request.
pub const OPINION_KEY: &str = "opinion_request_id_organization_id_key";

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What it asks for.
    pub kind: RequestKind,
    /// Where it stands.
    pub state: RequestState,
    /// Who asks.
    pub organization_id: OrganizationId,
    /// Whose hand it was.
    pub submitted_by: UserId,
    /// The highest level among its datasets.
    pub level: Level,
    /// Whether a dataset is special.
    pub special: bool,
    /// When it should be decided.
    pub deadline: Timestamp,
    /// Its texts: purpose, safeguards, notes.
    pub payload: Value,
    /// The rules it was routed by.
    pub policy_id: Option<Uuid>,
    /// Counts changes, from 1.
    pub revision: i64,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// An assessor's opinion.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenOpinion {
    /// Its id.
    pub id: Uuid,
    /// On which request.
    pub request_id: RequestId,
    /// The assessing organisation.
    pub organization_id: OrganizationId,
    /// Whose hand it was.
    pub user_id: UserId,
    /// What was found.
    pub opinion: Opinion,
    /// Why.
    pub reason: String,
    /// What opens the ledger's commitment to the reason; none for those from before there was one.
    pub reason_nonce: Option<Nonce>,
    /// When.
    pub created_at: Timestamp,
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenDecision {
    /// Its id.
    pub id: Uuid,
    /// On which request.
    pub request_id: RequestId,
    /// Who decided.
    pub user_id: UserId,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// What opens the ledger's commitment to the reason; none for those from before there was one.
    pub reason_nonce: Option<Nonce>,
    /// The budget granted with an access request.
    pub budget: Option<Value>,
    /// The rules in force.
    pub policy_id: Option<Uuid>,
    /// When.
    pub created_at: Timestamp,
}

/// Which requests a list holds.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// In one of these states; none means all.
    pub states: Vec<RequestState>,
    /// Of this kind only.
    pub kind: Option<RequestKind>,
    /// Asked by this organisation only.
    pub organization_id: Option<OrganizationId>,
    /// Only those asked by this organisation or about its datasets.
    pub party_id: Option<OrganizationId>,
    /// Only those that wait for an opinion or have one of this assessing organisation.
    pub assessor_id: Option<OrganizationId>,
}

/// Adds a request for these datasets, each with the version it is about.
///
/// # Errors
/// If the database refuses it.
pub async fn insert(
    tx: &Tx,
    request: &Request,
    datasets: &[(DatasetId, Option<VersionId>)],
) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(request.id.as_uuid()),
        kind: Set(request.kind.as_str().to_owned()),
        state: Set(request.state.as_str().to_owned()),
        organization_id: Set(request.organization_id.as_uuid()),
        submitted_by: Set(request.submitted_by.as_uuid()),
        level: Set(i64::from(request.level.number())),
        special: Set(request.special),
        deadline: Set(request.deadline.as_micros()),
        payload: Set(request.payload.clone()),
        policy_id: Set(request.policy_id),
        revision: Set(request.revision),
        created_at: Set(request.created_at.as_micros()),
        decided_at: Set(request.decided_at.map(Timestamp::as_micros)),
    };
    Entity::insert(row).exec_without_returning(&tx.executor()).await?;
    for (dataset, version) in datasets {
        let row = request_dataset::ActiveModel {
            request_id: Set(request.id.as_uuid()),
            dataset_id: Set(dataset.as_uuid()),
            version_id: Set(version.map(VersionId::as_uuid)),
        };
        request_dataset::Entity::insert(row)
            .exec_without_returning(&tx.executor())
            .await?;
    }
    Ok(())
}

/// Moves the request that is still at `revision` and in state `from`, and returns its new revision.
///
/// # Errors
/// [`Error::Stale`] if it is elsewhere.
pub async fn change_state(
    tx: &Tx,
    id: RequestId,
    revision: i64,
    from: RequestState,
    to: RequestState,
    now: Timestamp,
) -> Result<i64, Error> {
    let decided = (!to.is_open()).then(|| now.as_micros());
    Entity::update_many()
        .col_expr(Column::State, Expr::value(to.as_str()))
        .col_expr(Column::DecidedAt, Expr::value(decided))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::Revision.eq(revision))
        .filter(Column::State.eq(from.as_str()))
        .exec_one(tx, Error::Stale("request"))
        .await?;
    Ok(revision + 1)
}

/// Adds an opinion.
///
/// # Errors
/// [`Error::UniqueViolation`] of [`OPINION_KEY`].
pub async fn insert_opinion(tx: &Tx, given: &GivenOpinion) -> Result<(), Error> {
    let row = opinion::ActiveModel {
        id: Set(given.id),
        request_id: Set(given.request_id.as_uuid()),
        organization_id: Set(given.organization_id.as_uuid()),
        user_id: Set(given.user_id.as_uuid()),
        opinion: Set(given.opinion.as_str().to_owned()),
        reason: Set(given.reason.clone()),
        reason_nonce: Set(given.reason_nonce.clone().map(String::from)),
        created_at: Set(given.created_at.as_micros()),
    };
    opinion::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// Adds a decision.
///
/// # Errors
/// If the same person decided on it before.
pub async fn insert_decision(tx: &Tx, given: &GivenDecision) -> Result<(), Error> {
    let row = decision::ActiveModel {
        id: Set(given.id),
        request_id: Set(given.request_id.as_uuid()),
        user_id: Set(given.user_id.as_uuid()),
        decision: Set(given.decision.as_str().to_owned()),
        reason: Set(given.reason.clone()),
        reason_nonce: Set(given.reason_nonce.clone().map(String::from)),
        budget: Set(given.budget.clone()),
        policy_id: Set(given.policy_id),
        created_at: Set(given.created_at.as_micros()),
    };
    decision::Entity::insert(row)
        .exec_without_returning(&tx.executor())
        .await?;
    Ok(())
}

/// The request with this id.
///
/// # Errors
/// If the database fails.
pub async fn find(connection: &Connection, id: RequestId) -> Result<Option<Request>, Error> {
    Entity::find_by_id(id.as_uuid()).read_one(connection, read).await
}

/// The request with this id, which must exist.
///
/// # Errors
/// [`Error::NotFound`] if it does not.
pub async fn load(connection: &Connection, id: RequestId) -> Result<Request, Error> {
    find(connection, id).await?.ok_or(Error::NotFound("request"))
}

/// The datasets that a request is about, each with its version.
///
/// # Errors
/// If the database fails.
pub async fn list_datasets(
    connection: &Connection,
    id: RequestId,
) -> Result<Vec<(DatasetId, Option<VersionId>)>, Error> {
    let rows = request_dataset::Entity::find()
        .filter(request_dataset::Column::RequestId.eq(id.as_uuid()))
        .order_by_asc(request_dataset::Column::DatasetId)
        .all(&connection.executor())
        .await?;
    let pair = |row: request_dataset::Model| {
        (
            DatasetId::from_uuid(row.dataset_id),
            row.version_id.map(VersionId::from_uuid),
        )
    };
    Ok(rows.into_iter().map(pair).collect())
}

/// The opinions on a request, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list_opinions(connection: &Connection, id: RequestId) -> Result<Vec<GivenOpinion>, Error> {
    let rows = opinion::Entity::find()
        .filter(opinion::Column::RequestId.eq(id.as_uuid()))
        .order_by_asc(opinion::Column::Id)
        .all(&connection.executor())
        .await?;
    let read = |row: opinion::Model| {
        Ok(GivenOpinion {
            id: row.id,
            request_id: RequestId::from_uuid(row.request_id),
            organization_id: OrganizationId::from_uuid(row.organization_id),
            user_id: UserId::from_uuid(row.user_id),
            opinion: Opinion::from_word(&row.opinion)
                .ok_or_else(|| Error::corrupt("opinion.opinion", "unknown word"))?,
            reason: row.reason,
            reason_nonce: row.reason_nonce.map(read_nonce).transpose()?,
            created_at: Timestamp::from_micros(row.created_at),
        })
    };
    rows.into_iter().map(read).collect()
}

/// The decisions on a request, oldest first.
///
/// # Errors
/// If the database fails.
pub async fn list_decisions(connection: &Connection, id: RequestId) -> Result<Vec<GivenDecision>, Error> {
    let rows = decision::Entity::find()
        .filter(decision::Column::RequestId.eq(id.as_uuid()))
        .order_by_asc(decision::Column::Id)
        .all(&connection.executor())
        .await?;
    let read = |row: decision::Model| {
        Ok(GivenDecision {
            id: row.id,
            request_id: RequestId::from_uuid(row.request_id),
            user_id: UserId::from_uuid(row.user_id),
            decision: Decision::from_word(&row.decision)
                .ok_or_else(|| Error::corrupt("decision.decision", "unknown word"))?,
            reason: row.reason,
            reason_nonce: row.reason_nonce.map(read_nonce).transpose()?,
            budget: row.budget,
            policy_id: row.policy_id,
            created_at: Timestamp::from_micros(row.created_at),
        })
    };
    rows.into_iter().map(read).collect()
}

/// Up to `limit` requests, newest first, before the one with id `before`.
///
/// # Errors
/// If the database fails.
pub async fn list(
    connection: &Connection,
    filter: &RequestFilter,
    before: Option<RequestId>,
    limit: u64,
) -> Result<Vec<Request>, Error> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().map(|state| state.as_str())));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(Column::Kind.eq(kind.as_str()));
    }
    if let Some(organization) = filter.organization_id {
        query = query.filter(Column::OrganizationId.eq(organization.as_uuid()));
    }
    if let Some(party) = filter.party_id {
        let about = Query::select()
            .column((request_dataset::Entity, request_dataset::Column::RequestId))
            .from(request_dataset::Entity)
            .inner_join(
                dataset::Entity,
                Expr::col((dataset::Entity, dataset::Column::Id))
                    .equals((request_dataset::Entity, request_dataset::Column::DatasetId)),
            )
            .and_where(Expr::col((dataset::Entity, dataset::Column::OrganizationId)).eq(party.as_uuid()))
            .to_owned();
        let asked = Column::OrganizationId.eq(party.as_uuid());
        query = query.filter(Condition::any().add(asked).add(Column::Id.in_subquery(about)));
    }
    if let Some(assessor) = filter.assessor_id {
        let given = Query::select()
            .column(opinion::Column::RequestId)
            .from(opinion::Entity)
            .and_where(opinion::Column::OrganizationId.eq(assessor.as_uuid()))
            .to_owned();
        let waits = Column::State.eq(RequestState::AwaitingOpinion.as_str());
        query = query.filter(Condition::any().add(waits).add(Column::Id.in_subquery(given)));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before.as_uuid()));
    }
    query.read_all(connection, read).await
}

/// The open release request of a dataset, if there is one.
///
/// # Errors
/// If the database fails.
pub async fn find_open_release(
    connection: &Connection,
    dataset: DatasetId,
) -> Result<Option<Request>, Error> {
    let rows = request_dataset::Entity::find()
        .filter(request_dataset::Column::DatasetId.eq(dataset.as_uuid()))
        .all(&connection.executor())
        .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let open = RequestState::ALL
        .iter()
        .filter(|state| state.is_open())
        .map(|state| state.as_str());
    Entity::find()
        .filter(Column::Id.is_in(rows.into_iter().map(|row| row.request_id)))
        .filter(Column::Kind.eq(RequestKind::Release.as_str()))
        .filter(Column::State.is_in(open))
        .read_one(connection, read)
        .await
}

/// The newest release request of a dataset, open or not, if there is one.
///
/// # Errors
/// If the database fails.
pub async fn find_newest_release(
    connection: &Connection,
    dataset: DatasetId,
) -> Result<Option<Request>, Error> {
    let about = Query::select()
        .column((request_dataset::Entity, request_dataset::Column::RequestId))
        .from(request_dataset::Entity)
        .and_where(
            Expr::col((request_dataset::Entity, request_dataset::Column::DatasetId)).eq(dataset.as_uuid()),
        )
        .to_owned();
    let row = Entity::find()
        .filter(Column::Kind.eq(RequestKind::Release.as_str()))
        .filter(Column::Id.in_subquery(about))
        .order_by_desc(Column::Id)
        .one(&connection.executor())
        .await?;
    row.map(read).transpose()
}

fn read_nonce(text: String) -> Result<Nonce, Error> {
    Nonce::try_from(text).map_err(|error| Error::corrupt("reason_nonce", error))
}

fn read(row: Model) -> Result<Request, Error> {
    Ok(Request {
        id: RequestId::from_uuid(row.id),
        kind: RequestKind::from_word(&row.kind)
            .ok_or_else(|| Error::corrupt("request.kind", "unknown word"))?,
        state: RequestState::from_word(&row.state)
            .ok_or_else(|| Error::corrupt("request.state", "unknown word"))?,
        organization_id: OrganizationId::from_uuid(row.organization_id),
        submitted_by: UserId::from_uuid(row.submitted_by),
        level: u8::try_from(row.level)
            .ok()
            .and_then(Level::from_number)
            .ok_or_else(|| Error::corrupt("request.level", "not 1 to 4"))?,
        special: row.special,
        deadline: Timestamp::from_micros(row.deadline),
        payload: row.payload,
        policy_id: row.policy_id,
        revision: row.revision,
        created_at: Timestamp::from_micros(row.created_at),
        decided_at: row.decided_at.map(Timestamp::from_micros),
    })
}
