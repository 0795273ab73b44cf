//! Reports for admins: made by a job, kept in every form, and handed out here as they were made.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use store::queue::{JobPayload, MakeReport, enqueue};
use store::report::{self, Period, ReportKind, ReportRow};
use utoipa::{IntoParams, ToSchema};

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{Admin, Cursor, PageParams};

/// A page may have its own styles, and nothing else: no script, no picture from elsewhere.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Which reports.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportFilter {
    /// `daily` (when absent), `weekly` or `monthly`.
    report: Option<String>,
}

/// In which form.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportFormat {
    /// `json`, `html`, `csv` or `parquet`. When absent, `Accept` decides, and else it is `json`.
    format: Option<String>,
}

/// Reports.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReportList {
    /// The latest period first.
    items: Vec<ReportEntry>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A report that is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ReportEntry {
    /// `daily`, `weekly` or `monthly`.
    #[schema(example = "daily")]
    report: String,
    /// Its period.
    #[schema(example = "2026-03-01")]
    period: String,
    /// The time zone whose midnights it keeps to.
    #[schema(example = "UTC")]
    zone: String,
    /// Its first moment.
    starts_at: DateTime<Utc>,
    /// The first moment after it.
    ends_at: DateTime<Utc>,
    /// How often it was made.
    version: u32,
    /// When it was made last.
    generated_at: DateTime<Utc>,
    /// Where it is.
    url: String,
}

/// A report that is going to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ReportAsked {
    /// `daily`, `weekly` or `monthly`.
    report: ReportKindName,
    /// Its period.
    period: String,
    /// Where it will be, within a minute or so.
    url: String,
}

/// A kind of report, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ReportKind)]
struct ReportKindName(String);

/// Where a page of reports ended.
struct Before(DateTime<Utc>);

impl Cursor for Before {
    fn read(text: &str) -> Option<Self> {
        DateTime::from_timestamp(text.parse().ok()?, 0).map(Self)
    }

    fn write(&self) -> String {
        self.0.timestamp().to_string()
    }
}

/// What the path names. Read when it is known who asks.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReportPath {
    report: String,
    period: String,
}

impl ReportPath {
    fn parse(&self) -> Result<Period, ApiError> {
        let kind = kind(&self.report)?;
        Period::parse(kind, &self.period).map_err(|message| ApiError::Invalid(vec![FieldError::new("period", message)]))
    }
}

fn kind(name: &str) -> Result<ReportKind, ApiError> {
    name.parse()
        .map_err(|message: String| ApiError::Invalid(vec![FieldError::new("report", message)]))
}

fn url(report: &str, period: &str) -> String {
    format!("/v1/admin/reports/{report}/{period}")
}

impl From<ReportRow> for ReportEntry {
    fn from(row: ReportRow) -> Self {
        Self {
            url: url(&row.report, &row.period),
            report: row.report,
            period: row.period,
            zone: row.zone,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            version: row.version,
            generated_at: row.generated_at,
        }
    }
}

/// List reports
#[utoipa::path(
    get, path = "/v1/admin/reports", tag = "admin", params(ReportFilter, PageParams),
    responses(
        (status = 200, body = ReportList),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn list_reports(
    State(context): State<ApiContext>,
    _admin: Admin,
    Query(filter): Query<ReportFilter>,
    page: PageParams,
) -> Result<Json<ReportList>, ApiError> {
    let kind = filter.report.as_deref().map_or(Ok(ReportKind::Daily), kind)?;
    let limit = page.limit();
    let before = page.after::<Before>()?.map(|Before(at)| at);
    let mut rows = report::list(&mut *context.connection().await?, kind, before, limit + 1).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(Json(ReportList {
        next: rows.last().filter(|_| has_more).map(|last| Before(last.starts_at).write()),
        items: rows.into_iter().map(ReportEntry::from).collect(),
    }))
}

/// A form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Csv,
    Parquet,
}

impl Format {
    const ALL: [Format; 4] = [Format::Json, Format::Html, Format::Csv, Format::Parquet];

    /// Its name, among the stored forms too.
    fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Html => "html",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Html => "text/html; charset=utf-8",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// What was asked for by name, or else by `Accept`: the first that is known of what it lists.
    fn asked(named: Option<&str>, headers: &HeaderMap) -> Result<Self, ApiError> {
        if let Some(name) = named {
            return Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
                let error = FieldError::new("format", "must be `json`, `html`, `csv` or `parquet`");
                ApiError::Invalid(vec![error])
            });
        }
        let accepted = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let known = accepted.split(',').find_map(|range| {
            let media_type = range.split(';').next().unwrap_or_default().trim();
            let is_it = |format: &Format| format.media_type().split(';').next() == Some(media_type);
            Self::ALL.into_iter().find(is_it)
        });
        Ok(known.unwrap_or(Format::Json))
    }
}

/// Get a report
///
/// As JSON; as a page with charts (`html`), which loads nothing; or as one long table, a line for each number (`csv`, `parquet`). A figure
/// without a value says in `no_data` why there is none.
#[utoipa::path(
    get, path = "/v1/admin/reports/{report}/{period}", tag = "admin",
    params(
        ("report" = String, Path, description = "`daily`, `weekly` or `monthly`", example = "daily"),
        ("period" = String, Path, description = "Such as `2026-03-01`, `2026-W09` or `2026-03`", example = "2026-03-01"),
        ReportFormat,
    ),
    responses(
        (
            status = 200, description = "The report",
            content(
                (Object = "application/json"), (String = "text/html"), (String = "text/csv"),
                (String = "application/vnd.apache.parquet"),
            ),
        ),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn get_report(
    State(context): State<ApiContext>,
    _admin: Admin,
    Path(path): Path<ReportPath>,
    Query(asked): Query<ReportFormat>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let period = path.parse()?;
    let format = Format::asked(asked.format.as_deref(), &headers)?;
    let mut db = context.connection().await?;
    let bytes = match format {
        Format::Json => report::figures(&mut db, period.kind(), &path.period)
            .await?
            .map(String::into_bytes),
        Format::Html | Format::Csv | Format::Parquet => report::file(&mut db, period.kind(), &path.period, format.name()).await?,
    };
    let bytes = bytes.ok_or(ApiError::NotFound("that report"))?;
    let mut response = bytes.into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    answer.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    match format {
        Format::Html => {
            answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        }
        Format::Csv | Format::Parquet => {
            let name = format!("attachment; filename=\"{}-{period}.{}\"", period.kind(), format.name());
            let name = HeaderValue::from_str(&name).map_err(ApiError::internal)?;
            answer.insert(header::CONTENT_DISPOSITION, name);
        }
        Format::Json => {}
    }
    Ok(response)
}

/// Make a report
///
/// A job makes it out of what rows say now, in the place of the one that is there. It is mailed and posted only when there was none before.
#[utoipa::path(
    post, path = "/v1/admin/reports/{report}/{period}", tag = "admin",
    params(
        ("report" = String, Path, description = "`daily`, `weekly` or `monthly`", example = "daily"),
        ("period" = String, Path, description = "Such as `2026-03-01`, `2026-W09` or `2026-03`", example = "2026-03-01"),
    ),
    responses(
        (status = 202, body = ReportAsked),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn make_report(
    State(context): State<ApiContext>,
    _admin: Admin,
    Path(path): Path<ReportPath>,
) -> Result<Response, ApiError> {
    let period = path.parse()?;
    // The clock of `reports.zone` may be most of a day ahead of UTC; the job knows it and looks again.
    let tomorrow = Utc::now().date_naive() + Days::new(1);
    if period.end() > tomorrow {
        let error = FieldError::new("period", "is not over yet");
        return Err(ApiError::Invalid(vec![error]));
    }
    enqueue(&mut *context.connection().await?, &MakeReport::again(period), None).await?;
    context.wake.notify(MakeReport::QUEUE);
    let url = url(&path.report, &path.period);
    let location = HeaderValue::from_str(&url).map_err(ApiError::internal)?;
    let body = ReportAsked {
        report: ReportKindName(path.report),
        period: path.period,
        url,
    };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(body)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_asked_for_by_name_or_else_by_accept() {
        let accept = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))]);
        for (named, accepted, format) in [
            (None, "*/*", Format::Json),
            (None, "text/html,application/xhtml+xml,*/*;q=0.8", Format::Html),
            (None, "application/vnd.apache.parquet", Format::Parquet),
            (None, "image/png, text/csv;q=0.9", Format::Csv),
            (Some("csv"), "text/html", Format::Csv),
        ] {
            assert_eq!(
                Format::asked(named, &accept(accepted)).ok(),
                Some(format),
                "{named:?} {accepted}"
            );
        }
        assert!(Format::asked(Some("pdf"), &HeaderMap::new()).is_err());
    }
}
