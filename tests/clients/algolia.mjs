// The `algoliasearch` package, whole and lite.
import assert from 'node:assert/strict';
import { algoliasearch } from 'algoliasearch';
import { liteClient } from 'algoliasearch/lite';
import { base, counts, failure, native, test } from './oracle.mjs';

const hosts = [{ url: new URL(base).host, accept: 'readWrite', protocol: 'http' }];
const client = algoliasearch('APP', 'any key', { hosts });
const lite = liteClient('APP', 'any key', { hosts });

await test('algoliasearch: text, filters and facets', async () => {
  const found = await client.searchSingleIndex({
    indexName: 'workflows',
    searchParams: {
      query: 'warm',
      facetFilters: [['genre:House', 'genre:Techno'], 'tag:-dark'],
      numericFilters: ['bpm>=100'],
      facets: ['genre', 'bpm', 'is_featured'],
      hitsPerPage: 4,
    },
  });
  const told = await native('q=warm&genre=House&genre=Techno&bpm=100-&tag_none=dark&limit=4');
  assert.equal(found.nbHits, told.total);
  assert.ok(found.nbHits > 4);
  assert.equal(found.nbPages, Math.ceil(found.nbHits / 4));
  assert.deepEqual(found.hits.map((hit) => hit.objectID), told.hits.map((hit) => String(hit.id)));
  assert.match(found.hits[0]._highlightResult.title.value, /<em>Warm<\/em>/i);
  assert.equal(found.hits[0]._highlightResult.title.matchLevel, 'full');
  assert.deepEqual(Object.keys(found.facets.genre).sort(), ['House', 'Techno']);
  assert.ok(found.facets_stats.bpm.min >= 100);
  assert.ok(found.exhaustiveNbHits);
});

await test('algoliasearch: several queries by the lite client, orders and analytics', async () => {
  const { results } = await lite.search([
    { indexName: 'workflows_likes', query: '', hitsPerPage: 5 },
    { indexName: 'workflows', query: 'deep', filters: "genre:House AND NOT bpm < 120", facets: ['*'], hitsPerPage: 0, clickAnalytics: true },
    { indexName: 'workflows', type: 'facet', facet: 'genre', facetQuery: 'dr', maxFacetHits: 5 },
  ]);
  const likes = results[0].hits.map((hit) => hit.likes);
  assert.deepEqual(likes, [...likes].sort((a, b) => b - a));
  const told = await native('q=deep&genre=House&bpm=120-&limit=0&facet_limit=100');
  assert.equal(results[1].nbHits, told.total);
  assert.deepEqual(results[1].facets.device, counts(told, 'device'));
  assert.match(results[1].queryID, /^[0-9A-Z]{26}$/);
  assert.deepEqual(results[2].facetHits.map((hit) => [hit.value, hit.highlighted]), [['Drum & Bass', '<em>Dr</em>um & Bass']]);
});

await test('algoliasearch: what is done with hits is reported by the id of their query', async () => {
  const found = await client.searchSingleIndex({ indexName: 'workflows', searchParams: { query: 'deep', clickAnalytics: true } });
  const event = { query_id: found.queryID, kind: 'click', workflow_id: Number(found.hits[0].objectID), position: 1 };
  const response = await fetch(`${base}/v1/search/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events: [event] }),
  });
  assert.equal(response.status, 202);
});

await test('algoliasearch: values of a facet, and one document', async () => {
  const found = await client.searchForFacetValues({
    indexName: 'workflows',
    facetName: 'device',
    searchForFacetValuesRequest: { facetQuery: 'echo', params: 'query=warm&filters=genre%3AHouse' },
  });
  const told = await native('q=warm&genre=House&limit=0&facet_limit=100');
  assert.deepEqual(Object.fromEntries(found.facetHits.map((hit) => [hit.value, hit.count])), { Echo: counts(told, 'device').Echo });
  assert.equal((await client.getObject({ indexName: 'workflows', objectID: '7' })).objectID, '7');
});

await test('algoliasearch: errors', async () => {
  const status = async (promise) => (await failure(promise)).status;
  assert.equal(await status(client.searchSingleIndex({ indexName: 'racks', searchParams: {} })), 404);
  assert.equal(await status(client.searchSingleIndex({ indexName: 'workflows', searchParams: { filters: 'genre:' } })), 400);
  assert.equal(await status(client.saveObject({ indexName: 'workflows', body: { objectID: '1' } })), 403);
  assert.equal(await status(client.clearObjects({ indexName: 'workflows' })), 403);
});
