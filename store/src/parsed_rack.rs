//! `parsed_racks`: what the parser found, whole, beside a small summary for the index.

use serde_json::Value;
use sqlx::types::Json;

use crate::rack_summary::RackSummary;
use crate::{Conn, StoreError, WorkflowId};

/// A parsed rack as its page shows it.
#[derive(Clone, Debug)]
pub struct ParsedRackRow {
    /// Version of the parser that wrote it.
    pub parser_version: u32,
    /// The whole parsed rack.
    pub rack: Value,
    /// What the parser found odd.
    pub warnings: Value,
}

/// Writes a workflow's parsed rack, in place of any earlier one.
///
/// # Errors
/// The database refused.
pub async fn replace(
    db: &mut Conn,
    workflow: WorkflowId,
    parser_version: u32,
    summary: &RackSummary,
    rack: &Value,
    warnings: &Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) VALUES (?, ?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE parser_version = VALUES(parser_version), summary = VALUES(summary), rack = VALUES(rack),
                                warnings = VALUES(warnings), created_at = CURRENT_TIMESTAMP(6)
        "#,
        workflow,
        parser_version,
        serde_json::to_value(summary)?,
        rack,
        warnings
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a workflow's parsed rack, if there is one.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, workflow: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM parsed_racks WHERE workflow_id = ?", workflow)
        .execute(db)
        .await?;
    Ok(())
}

/// Reads a workflow's parsed rack.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, workflow: WorkflowId) -> Result<Option<ParsedRackRow>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT parser_version, rack AS "rack: Json<Value>", warnings AS "warnings: Json<Value>"
        FROM parsed_racks WHERE workflow_id = ?
        "#,
        workflow
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ParsedRackRow {
        parser_version: row.parser_version,
        rack: row.rack.0,
        warnings: row.warnings.0,
    }))
}
