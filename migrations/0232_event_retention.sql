-- How far addresses of views and downloads have been forgotten: one row, the first day that is not done.
CREATE TABLE IF NOT EXISTS event_retention (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  forgotten_until DATE NOT NULL
);
