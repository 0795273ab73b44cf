// The `meilisearch` package, in the line that instant-meilisearch is built on and in the current one.
import assert from 'node:assert/strict';
import * as before from 'meilisearch';
import * as current from 'meilisearch-current';
import { base, counts, failure, native, test } from './oracle.mjs';

for (const [line, module] of [['0.57', before], ['0.62', current]]) {
  const Client = module.Meilisearch ?? module.MeiliSearch;
  const client = new Client({ host: base, apiKey: 'any key' });
  const index = client.index('workflows');

  await test(`meilisearch ${line}: health, version and index`, async () => {
    assert.equal((await client.health()).status, 'available');
    assert.ok((await client.getVersion()).pkgVersion);
    assert.equal((await client.getRawIndex('workflows')).primaryKey, 'id');
  });

  await test(`meilisearch ${line}: text, filters and facets`, async () => {
    const found = await index.search('warm', {
      filter: ['genre = House OR genre = "Drum & Bass"', ['bpm >= 120', 'is_featured = true']],
      facets: ['genre', 'device', 'bpm', 'is_featured'],
      limit: 5,
    });
    const told = await native('q=warm%20&genre=House&genre=Drum%20%26%20Bass&bpm=120-&limit=5');
    const featured = await native('q=warm%20&genre=House&genre=Drum%20%26%20Bass&is_featured=true&limit=0');
    const both = await native('q=warm%20&genre=House&genre=Drum%20%26%20Bass&bpm=120-&is_featured=true&limit=0');
    assert.ok(told.total > 0 && both.total > 0);
    assert.equal(found.estimatedTotalHits, told.total + featured.total - both.total);
    assert.equal(found.hits.length, 5);
    assert.deepEqual(Object.keys(found.facetDistribution.genre).sort(), ['Drum & Bass', 'House']);
    const sum = Object.values(found.facetDistribution.genre).reduce((a, b) => a + b);
    assert.equal(sum, found.estimatedTotalHits);
    assert.ok(found.facetStats.bpm.min >= 80 && found.facetStats.bpm.max <= 180);
    const flags = found.facetDistribution.is_featured;
    assert.equal((flags.true ?? 0) + (flags.false ?? 0), found.estimatedTotalHits);
  });

  await test(`meilisearch ${line}: the counts of a facet are those of the native API`, async () => {
    const found = await index.search('', { facets: ['*'], filter: 'bpm 100 TO 140', hitsPerPage: 0 });
    const told = await native('bpm=100-140&limit=0&facet_limit=100');
    assert.equal(found.totalHits, told.total);
    for (const facet of ['genre', 'device', 'tag', 'kind', 'author']) {
      assert.deepEqual(found.facetDistribution[facet], counts(told, facet), facet);
    }
  });

  await test(`meilisearch ${line}: the filter language`, async () => {
    const all = (await index.search('', { limit: 0 })).estimatedTotalHits;
    const total = async (filter) => (await index.search('', { filter, limit: 0 })).estimatedTotalHits;
    const house = await total('genre = House');
    assert.ok(house > 0);
    assert.equal(await total('genre = house'), house);
    assert.equal(await total('genre != House'), all - house);
    assert.equal(await total('NOT genre = House'), all - house);
    assert.equal(await total("genre IN [House, 'Drum & Bass']"), house + (await total("genre = 'Drum & Bass'")));
    assert.equal(await total('genre EXISTS'), all);
    assert.equal(await total('plugin IS EMPTY'), all);
    assert.equal(await total('(genre = House AND bpm < 120) OR (genre = House AND bpm >= 120)'), house);
    assert.equal(await total('tag STARTS WITH da'), await total('tag = dark'));
    assert.equal(await total('key = "Gb minor"'), await total('key = "F#m"'));
    assert.equal(await total('id = 7'), 1);
  });

  await test(`meilisearch ${line}: marks, places and scores`, async () => {
    const { hits } = await index.search('warm', {
      attributesToHighlight: ['title'],
      attributesToRetrieve: ['id', 'title'],
      highlightPreTag: '<b>',
      highlightPostTag: '</b>',
      showMatchesPosition: true,
      showRankingScore: true,
    });
    const [hit] = hits;
    assert.match(hit._formatted.title, /<b>Warm<\/b>/i);
    const [{ start, length }] = hit._matchesPosition.title;
    assert.equal(hit.title.slice(start, start + length).toLowerCase(), 'warm');
    assert.ok(hit._rankingScore > 0 && hit._rankingScore <= 1);
    assert.deepEqual(Object.keys(hit).filter((key) => !key.startsWith('_')).sort(), ['id', 'title']);
  });

  await test(`meilisearch ${line}: pages and orders`, async () => {
    const first = await index.search('', { page: 1, hitsPerPage: 10, sort: ['likes:desc'] });
    assert.equal(first.totalPages, Math.ceil(first.totalHits / 10));
    const likes = first.hits.map((hit) => hit.likes);
    assert.deepEqual(likes, [...likes].sort((a, b) => b - a));
    const second = await index.search('', { offset: 10, limit: 10, sort: ['likes:desc'] });
    const ids = new Set([...first.hits, ...second.hits].map((hit) => hit.id));
    assert.equal(ids.size, 20);
    const bySearch = await index.searchGet('warm', { facets: ['genre'], filter: 'genre = House', limit: 3 });
    assert.equal(bySearch.hits.length, 3);
    assert.deepEqual(Object.keys(bySearch.facetDistribution.genre), ['House']);
  });

  await test(`meilisearch ${line}: several searches, values of facets, similar and single documents`, async () => {
    const { results } = await client.multiSearch({
      queries: [{ indexUid: 'workflows', q: 'warm', limit: 1 }, { indexUid: 'workflows', q: 'deep', facets: ['genre'] }],
    });
    assert.deepEqual(results.map((result) => result.query), ['warm', 'deep']);
    assert.equal(results[0].estimatedTotalHits, (await native('q=warm&limit=0')).total);
    const { facetHits } = await index.searchForFacetValues({ facetName: 'genre', facetQuery: 'bass' });
    assert.deepEqual(facetHits.map((hit) => hit.value), ['Drum & Bass']);
    const similar = await index.searchSimilarDocuments({ id: 7, embedder: 'none', limit: 3 });
    assert.ok(similar.hits.length > 0 && similar.hits.every((hit) => hit.id !== 7));
    assert.equal((await index.getDocument(7)).id, 7);
  });

  await test(`meilisearch ${line}: errors have their codes`, async () => {
    const code = async (promise) => (await failure(promise)).cause?.code;
    assert.equal(await code(client.index('racks').search('x')), 'index_not_found');
    assert.equal(await code(index.search('x', { filter: 'colour = red' })), 'invalid_search_filter');
    assert.equal(await code(index.search('x', { facets: ['colour'] })), 'invalid_search_facets');
    assert.equal(await code(index.search('x', { sort: ['title:asc'] })), 'invalid_search_sort');
    assert.equal(await code(index.search('x', { limit: -1 })), 'invalid_search_limit');
    assert.equal(await code(index.search('x', { colour: 'red' })), 'bad_request');
    assert.equal(await code(index.getDocument(999999)), 'document_not_found');
    assert.equal(await code(index.addDocuments([{ id: 1 }])), 'invalid_api_key');
    assert.equal(await code(index.deleteAllDocuments()), 'invalid_api_key');
    assert.equal(await code(client.createIndex('racks')), 'invalid_api_key');
  });
}
