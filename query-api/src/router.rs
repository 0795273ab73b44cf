//! Every route, and what each request passes through: the table of contents of the API.

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware, routing};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::context::ApiContext;
use crate::error::{ApiError, LoggedCause};
use crate::facades::{algolia, meilisearch};
use crate::handlers::{
    admin, blocks, collections, comments, follows, health, likes, me, overview, own_tokens, password_resets, previews,
    publication, ratings, recommendations, registrations, reports, search, search_events, sessions, similar, suggest, tags,
    trending, users, views, workflow, workflow_file, workflow_rack, workflow_stats, workflows,
};
use crate::{document, idempotency, limit, observe};

/// Where the OpenAPI document is.
const OPENAPI_PATH: &str = "/v1/openapi.json";

/// Where its page for people is.
const DOCS_PATH: &str = "/v1/docs";

/// Room for the form around an upload's file and metadata, in bytes.
const FORM_BYTES: u64 = 16 * 1024;

/// Requests that are worked on at once; more are answered 503 without waiting in line, which would only make all of them late.
const MAX_CONCURRENT: usize = 512;

/// How long a browser may take permission for granted.
const PREFLIGHT_HOLDS: Duration = Duration::from_secs(3600);

/// What the document says about the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ableton Cookbook",
        description = "Racks of a community: upload, search, download. Errors are `application/problem+json` with a stable `code`. \
                       Every answer carries `x-request-id`. \
                       Requests are limited: `RateLimit` says what is left, and one too many is 429 with `Retry-After`. A POST with a \
                       token and an `Idempotency-Key` is done once, however often it is sent."
    ),
    tags(
        (name = "search", description = "Find racks"),
        (name = "feed", description = "What people did"),
        (name = "trending", description = "What gets more attention than usual, and what is recommended to whom"),
        (name = "workflows", description = "Upload, read, change and publish racks"),
        (name = "reactions", description = "Likes, ratings and comments"),
        (name = "collections", description = "Lists of racks that people keep"),
        (name = "people", description = "Profiles, and who follows or blocks whom"),
        (name = "tags", description = "Words that authors put on racks"),
        (name = "accounts", description = "Register, log in, one's own account"),
        (name = "admin", description = "For the staff; all of it is written down"),
        (name = "health", description = "For operators"),
        (name = "meilisearch", description = "The Meilisearch search API, for clients that exist. Read-only, keys are ignored; errors have that API's form"),
        (name = "algolia", description = "The Algolia queries API, for clients that exist. Read-only, keys are ignored; errors have that API's form"),
    )
)]
struct Document;

/// Routes that are bounded, timed and shed under load.
fn routes(max_upload_bytes: u64, max_avatar_bytes: usize, max_preview_bytes: (usize, usize)) -> OpenApiRouter<ApiContext> {
    let form_limit = usize::try_from(max_upload_bytes + FORM_BYTES).unwrap_or(usize::MAX);
    OpenApiRouter::new()
        .routes(routes!(search::search_workflows))
        .routes(routes!(suggest::suggest_searches))
        .routes(routes!(suggest::search_facet_values))
        .routes(routes!(search_events::report_search_events))
        .routes(routes!(workflows::create_workflow).layer(DefaultBodyLimit::max(form_limit)))
        .routes(routes!(workflows::list_own_workflows))
        .routes(routes!(
            workflow::get_workflow,
            workflow::update_workflow,
            workflow::delete_workflow
        ))
        .routes(routes!(workflow_file::download_workflow_file))
        .routes(routes!(workflow_rack::get_workflow_rack))
        .routes(routes!(workflow_stats::get_workflow_stats))
        .routes(routes!(similar::list_similar_workflows))
        .routes(routes!(publication::publish_workflow))
        .routes(routes!(publication::unpublish_workflow))
        .routes(routes!(crate::handlers::feed::list_feed))
        .routes(routes!(crate::handlers::feed_stream::stream_feed))
        .routes(routes!(crate::handlers::feed::list_activity))
        .routes(routes!(crate::handlers::feed::list_user_activity))
        .routes(routes!(tags::list_tags))
        .routes(routes!(views::record_view))
        .routes(routes!(likes::like_workflow, likes::unlike_workflow))
        .routes(routes!(likes::list_workflow_likes))
        .routes(routes!(likes::list_own_likes))
        .routes(routes!(ratings::rate_workflow, ratings::unrate_workflow))
        .routes(routes!(ratings::list_ratings))
        .routes(routes!(comments::list_comments, comments::create_comment))
        .routes(routes!(
            comments::get_comment,
            comments::update_comment,
            comments::delete_comment
        ))
        .routes(routes!(comments::list_replies))
        .routes(routes!(comments::pin_comment, comments::unpin_comment))
        .routes(routes!(comments::like_comment, comments::unlike_comment))
        .routes(routes!(collections::create_collection))
        .routes(routes!(
            collections::get_collection,
            collections::update_collection,
            collections::delete_collection
        ))
        .routes(routes!(collections::list_collection_workflows))
        .routes(routes!(
            collections::put_collection_workflow,
            collections::delete_collection_workflow
        ))
        .routes(routes!(collections::list_own_collections))
        .routes(routes!(collections::list_user_collections))
        .routes(routes!(collections::list_collections_with_workflow))
        .routes(routes!(follows::follow_user, follows::unfollow_user))
        .routes(routes!(follows::list_followers))
        .routes(routes!(follows::list_following))
        .routes(routes!(trending::list_trending))
        .routes(routes!(trending::list_trending_creators))
        .routes(routes!(recommendations::list_recommendations))
        .routes(routes!(
            recommendations::dismiss_workflow,
            recommendations::undismiss_workflow
        ))
        .routes(routes!(recommendations::list_dismissed))
        .merge(preview_routes(max_preview_bytes))
        .merge(account_routes(max_avatar_bytes))
        .merge(admin_routes())
}

/// What a workflow sounds and looks like; the longest sound, then the largest picture, in bytes.
fn preview_routes((audio, image): (usize, usize)) -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(
            routes!(
                previews::get_preview_audio,
                previews::set_preview_audio,
                previews::delete_preview_audio
            )
            .layer(DefaultBodyLimit::max(audio)),
        )
        .routes(
            routes!(
                previews::get_preview_image,
                previews::set_preview_image,
                previews::delete_preview_image
            )
            .layer(DefaultBodyLimit::max(image)),
        )
}

/// People, and their own accounts.
fn account_routes(max_avatar_bytes: usize) -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(routes!(registrations::register))
        .routes(routes!(registrations::show_confirmation, registrations::confirm_registration))
        .routes(routes!(password_resets::ask_for_password_reset))
        .routes(routes!(password_resets::show_password_reset, password_resets::set_password))
        .routes(routes!(sessions::log_in))
        .routes(routes!(sessions::log_out))
        .routes(routes!(me::get_me, me::update_me, me::delete_me))
        .routes(routes!(me::set_avatar, me::remove_avatar).layer(DefaultBodyLimit::max(max_avatar_bytes)))
        .routes(routes!(me::change_password))
        .routes(routes!(me::deactivate_me))
        .routes(routes!(own_tokens::list_own_tokens, own_tokens::create_token))
        .routes(routes!(own_tokens::rotate_token))
        .routes(routes!(own_tokens::revoke_token))
        .routes(routes!(blocks::list_blocks))
        .routes(routes!(blocks::block_user, blocks::unblock_user))
        .routes(routes!(users::get_user))
        .routes(routes!(users::get_user_avatar))
}

/// For the staff.
fn admin_routes() -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(routes!(admin::list_audit))
        .routes(routes!(overview::get_overview))
        .routes(routes!(overview::get_jobs))
        .routes(routes!(overview::get_metrics))
        .routes(routes!(reports::list_reports))
        .routes(routes!(reports::get_report, reports::make_report))
        .routes(routes!(admin::feature_workflow))
        .routes(routes!(admin::unfeature_workflow))
        .routes(routes!(admin::take_down_workflow))
        .routes(routes!(admin::restore_workflow))
        .routes(routes!(admin::suspend_user))
        .routes(routes!(admin::unsuspend_user))
        .routes(routes!(admin::verify_user))
        .routes(routes!(admin::unverify_user))
}

/// The Meilisearch search API.
fn meilisearch_routes() -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(routes!(meilisearch::meili_search, meilisearch::meili_search_by_address))
        .routes(routes!(meilisearch::meili_multi_search))
        .routes(routes!(meilisearch::meili_facet_search))
        .routes(routes!(meilisearch::meili_similar))
        .routes(routes!(meilisearch::meili_document))
        .routes(routes!(meilisearch::meili_index))
        .routes(routes!(meilisearch::meili_indexes))
        .routes(routes!(meilisearch::meili_health))
        .routes(routes!(meilisearch::meili_version))
}

/// The Algolia queries API.
fn algolia_routes() -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(routes!(algolia::algolia_queries))
        .routes(routes!(algolia::algolia_query))
        .routes(routes!(algolia::algolia_facet_query))
        .routes(routes!(algolia::algolia_object))
}

/// What Meilisearch has besides, refused as it refuses. Nobody may do it, so it is in neither the document nor the list of rights.
fn meilisearch_refusals() -> Router<ApiContext> {
    let administration = [
        "/indexes/{uid}/{*rest}",
        "/keys",
        "/keys/{*rest}",
        "/tasks",
        "/tasks/{*rest}",
        "/dumps",
        "/snapshots",
        "/swap-indexes",
        "/stats",
    ];
    let refused = administration.into_iter().fold(Router::new(), |router, path| {
        router.route(path, routing::any(meilisearch::meili_refused))
    });
    let writes = || {
        routing::post(meilisearch::meili_refused)
            .put(meilisearch::meili_refused)
            .patch(meilisearch::meili_refused)
            .delete(meilisearch::meili_refused)
    };
    refused
        .route("/indexes", writes())
        .route("/indexes/{uid}", writes())
        .route("/indexes/{uid}/documents/{id}", writes())
}

/// What Algolia has besides, in the same way.
fn algolia_refusals() -> Router<ApiContext> {
    let writes = routing::post(algolia::algolia_refused)
        .put(algolia::algolia_refused)
        .delete(algolia::algolia_refused);
    Router::new()
        .route("/1/indexes/{index}/{object_id}", writes)
        .route("/1/{*rest}", routing::any(algolia::algolia_refused))
}

/// Routes for operators, which answer however busy the others are.
fn operator_routes() -> OpenApiRouter<ApiContext> {
    OpenApiRouter::new()
        .routes(routes!(health::get_livez))
        .routes(routes!(health::get_readyz))
}

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, paths) = routes(0, 0, (0, 0))
        .merge(operator_routes())
        .merge(meilisearch_routes())
        .merge(algolia_routes())
        .split_for_parts();
    let mut document = Document::openapi();
    document.merge(paths);
    document::complete(&mut document);
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.components.get_or_insert_default().add_security_scheme(
        "token",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    document
}

/// The whole API.
pub fn router(context: ApiContext) -> Router {
    let http = &context.settings.http;
    let document = openapi();
    let bounded = ServiceBuilder::new()
        .layer(axum::error_handling::HandleErrorLayer::new(overloaded))
        .load_shed()
        // One limit for all routes: without `Global`, each would have its own.
        .layer(GlobalConcurrencyLimitLayer::new(MAX_CONCURRENT))
        .timeout(Duration::from_secs(http.request_timeout_s));
    let guarded = |routes: Router<ApiContext>| {
        routes
            .layer(bounded.clone())
            .layer(middleware::from_fn_with_state(context.clone(), limit::limit))
            .route_layer(middleware::from_fn(observe::note_route))
            .layer(DefaultBodyLimit::max(http.max_body_bytes))
    };
    let around = |routes: Router<ApiContext>, cors: Option<CorsLayer>| {
        routes.layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(observe::log_request))
                .layer(middleware::from_fn(observe::secure_headers))
                .option_layer(cors)
                .layer(middleware::from_fn(observe::explain_bare_errors))
                .layer(
                    CompressionLayer::new()
                        .compress_when(DefaultPredicate::new().and(NotForContentType::new("application/octet-stream"))),
                ),
        )
    };
    let (api, _) = routes(
        http.max_upload_bytes,
        context.settings.files.max_avatar_bytes,
        (
            context.settings.files.max_preview_audio_bytes,
            context.settings.files.max_preview_image_bytes,
        ),
    )
    .split_for_parts();
    let (operators, _) = operator_routes().split_for_parts();
    let docs = Router::<ApiContext>::from(SwaggerUi::new(DOCS_PATH).config(utoipa_swagger_ui::Config::new([OPENAPI_PATH])))
        .layer(middleware::map_response(docs_headers));
    let api = api
        .route(OPENAPI_PATH, routing::get(move || async move { Json(document) }))
        .route_layer(middleware::from_fn_with_state(context.clone(), idempotency::once));
    let ours = guarded(api)
        .merge(operators.route_layer(middleware::from_fn(observe::note_route)))
        .merge(docs)
        .layer(CatchPanicLayer::custom(panicked));
    // The facades' errors, also of what stands before their handlers, are put into the words of their APIs. What they have is read and
    // public, so no key is needed to do it once, and pages of any site may ask.
    let (meilisearch, _) = meilisearch_routes().split_for_parts();
    let (algolia, _) = algolia_routes().split_for_parts();
    let facades = guarded(meilisearch.merge(meilisearch_refusals()))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::map_response(meilisearch::in_its_words))
        .merge(
            guarded(algolia.merge(algolia_refusals()))
                .layer(CatchPanicLayer::custom(panicked))
                .layer(middleware::map_response(algolia::in_its_words)),
        );
    // Ours last: its layers are around what no route matches.
    around(facades, Some(from_anywhere()))
        .merge(around(ours, cors(&http.cors_origins)))
        .with_state(context)
}

/// What pages of any origin may ask of the facades: everything on them is public.
fn from_anywhere() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods([Method::GET, Method::POST])
        // Not `*`, which does not stand for `authorization`.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_HOLDS)
}

/// What pages of other origins may do, if any may. Preflights are answered here, before anything is counted.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let ours = ["idempotency-key", "x-request-id"].map(HeaderName::from_static);
    let shown = [
        "index-position",
        "ratelimit",
        "ratelimit-policy",
        "x-request-id",
        "idempotency-replayed",
    ]
    .map(HeaderName::from_static);
    Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(
                [header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH]
                    .into_iter()
                    .chain(ours)
                    .collect::<Vec<_>>(),
            )
            .expose_headers(
                [header::LOCATION, header::RETRY_AFTER, header::ETAG]
                    .into_iter()
                    .chain(shown)
                    .collect::<Vec<_>>(),
            )
            .max_age(PREFLIGHT_HOLDS),
    )
}

/// Answers what took too long, or came while there was too much to do.
async fn overloaded(error: tower::BoxError) -> ApiError {
    if error.is::<tower::timeout::error::Elapsed>() {
        ApiError::TimedOut
    } else {
        ApiError::Unavailable {
            what: "a free place among the requests",
            cause: None,
        }
    }
}

/// Answers after a panic, which is our fault; the panic's message goes to the log only.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "panic without a message".to_owned());
    let cause = std::io::Error::other(format!("panic: {message}"));
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, ()).into_response();
    response.extensions_mut().insert(LoggedCause(std::sync::Arc::new(cause)));
    response
}

/// The page of the documentation runs scripts and styles of our own address, and nothing else.
async fn docs_headers(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
             frame-ancestors 'none'",
        ),
    );
    response
}
