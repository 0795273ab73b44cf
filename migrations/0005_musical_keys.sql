-- `musical_key` and `tempo`: the canonical forms of the seed's `key_signature` and `bpm`, kept by triggers whoever writes
-- those. They stand beside the seed's columns, which hold what was written: `f#`, `Gb minor`, `11A`.

-- Every spelling of every key that fits into `key_signature`, as `MusicalKey` lists them (a test compares the two), folded
-- as below. Binary, since `B` is major and `b` is minor.
CREATE TABLE IF NOT EXISTS musical_key_spellings (
  spelling VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  musical_key VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB;

INSERT INTO musical_key_spellings (spelling, musical_key) VALUES
  ('01d','C'), ('08b','C'), ('1d','C'), ('8b','C'), ('B#','C'), ('B#M','C'), ('B#dur','C'), ('B#maj','C'),
  ('B#major','C'), ('Bsharp','C'), ('BsharpM','C'), ('Bsharpdur','C'), ('Bsharpmaj','C'), ('C','C'), ('CM','C'),
  ('Cdur','C'), ('Cmaj','C'), ('Cmajor','C'), ('b#M','C'), ('b#dur','C'), ('b#maj','C'), ('b#major','C'),
  ('bsharpM','C'), ('bsharpdur','C'), ('bsharpmaj','C'), ('cM','C'), ('cdur','C'), ('cmaj','C'), ('cmajor','C'),
  ('03b','Db'), ('08d','Db'), ('3b','Db'), ('8d','Db'), ('C#','Db'), ('C#M','Db'), ('C#dur','Db'), ('C#maj','Db'),
  ('C#major','Db'), ('Cis','Db'), ('CisM','Db'), ('Cisdur','Db'), ('Cismaj','Db'), ('Cismajor','Db'), ('Csharp','Db'),
  ('CsharpM','Db'), ('Csharpdur','Db'), ('Csharpmaj','Db'), ('Db','Db'), ('DbM','Db'), ('Dbdur','Db'), ('Dbmaj','Db'),
  ('Dbmajor','Db'), ('Des','Db'), ('DesM','Db'), ('Desdur','Db'), ('Desmaj','Db'), ('Desmajor','Db'), ('Dflat','Db'),
  ('DflatM','Db'), ('Dflatdur','Db'), ('Dflatmaj','Db'), ('Dflatmajor','Db'), ('c#M','Db'), ('c#dur','Db'),
  ('c#maj','Db'), ('c#major','Db'), ('cisM','Db'), ('cisdur','Db'), ('cismaj','Db'), ('cismajor','Db'),
  ('csharpM','Db'), ('csharpdur','Db'), ('csharpmaj','Db'), ('dbM','Db'), ('dbdur','Db'), ('dbmaj','Db'),
  ('dbmajor','Db'), ('desM','Db'), ('desdur','Db'), ('desmaj','Db'), ('desmajor','Db'), ('dflatM','Db'),
  ('dflatdur','Db'), ('dflatmaj','Db'), ('dflatmajor','Db'),
  ('03d','D'), ('10b','D'), ('3d','D'), ('D','D'), ('DM','D'), ('Ddur','D'), ('Dmaj','D'), ('Dmajor','D'), ('dM','D'),
  ('ddur','D'), ('dmaj','D'), ('dmajor','D'),
  ('05b','Eb'), ('10d','Eb'), ('5b','Eb'), ('D#','Eb'), ('D#M','Eb'), ('D#dur','Eb'), ('D#maj','Eb'), ('D#major','Eb'),
  ('Dis','Eb'), ('DisM','Eb'), ('Disdur','Eb'), ('Dismaj','Eb'), ('Dismajor','Eb'), ('Dsharp','Eb'), ('DsharpM','Eb'),
  ('Dsharpdur','Eb'), ('Dsharpmaj','Eb'), ('Eb','Eb'), ('EbM','Eb'), ('Ebdur','Eb'), ('Ebmaj','Eb'), ('Ebmajor','Eb'),
  ('Eflat','Eb'), ('EflatM','Eb'), ('Eflatdur','Eb'), ('Eflatmaj','Eb'), ('Eflatmajor','Eb'), ('Es','Eb'),
  ('EsM','Eb'), ('Esdur','Eb'), ('Esmaj','Eb'), ('Esmajor','Eb'), ('d#M','Eb'), ('d#dur','Eb'), ('d#maj','Eb'),
  ('d#major','Eb'), ('disM','Eb'), ('disdur','Eb'), ('dismaj','Eb'), ('dismajor','Eb'), ('dsharpM','Eb'),
  ('dsharpdur','Eb'), ('dsharpmaj','Eb'), ('ebM','Eb'), ('ebdur','Eb'), ('ebmaj','Eb'), ('ebmajor','Eb'),
  ('eflatM','Eb'), ('eflatdur','Eb'), ('eflatmaj','Eb'), ('eflatmajor','Eb'), ('esM','Eb'), ('esdur','Eb'),
  ('esmaj','Eb'), ('esmajor','Eb'),
  ('05d','E'), ('12b','E'), ('5d','E'), ('E','E'), ('EM','E'), ('Edur','E'), ('Emaj','E'), ('Emajor','E'), ('Fb','E'),
  ('FbM','E'), ('Fbdur','E'), ('Fbmaj','E'), ('Fbmajor','E'), ('Fflat','E'), ('FflatM','E'), ('Fflatdur','E'),
  ('Fflatmaj','E'), ('Fflatmajor','E'), ('eM','E'), ('edur','E'), ('emaj','E'), ('emajor','E'), ('fbM','E'),
  ('fbdur','E'), ('fbmaj','E'), ('fbmajor','E'), ('fflatM','E'), ('fflatdur','E'), ('fflatmaj','E'),
  ('fflatmajor','E'),
  ('07b','F'), ('12d','F'), ('7b','F'), ('E#','F'), ('E#M','F'), ('E#dur','F'), ('E#maj','F'), ('E#major','F'),
  ('Esharp','F'), ('EsharpM','F'), ('Esharpdur','F'), ('Esharpmaj','F'), ('F','F'), ('FM','F'), ('Fdur','F'),
  ('Fmaj','F'), ('Fmajor','F'), ('e#M','F'), ('e#dur','F'), ('e#maj','F'), ('e#major','F'), ('esharpM','F'),
  ('esharpdur','F'), ('esharpmaj','F'), ('fM','F'), ('fdur','F'), ('fmaj','F'), ('fmajor','F'),
  ('02b','F#'), ('07d','F#'), ('2b','F#'), ('7d','F#'), ('F#','F#'), ('F#M','F#'), ('F#dur','F#'), ('F#maj','F#'),
  ('F#major','F#'), ('Fis','F#'), ('FisM','F#'), ('Fisdur','F#'), ('Fismaj','F#'), ('Fismajor','F#'), ('Fsharp','F#'),
  ('FsharpM','F#'), ('Fsharpdur','F#'), ('Fsharpmaj','F#'), ('Gb','F#'), ('GbM','F#'), ('Gbdur','F#'), ('Gbmaj','F#'),
  ('Gbmajor','F#'), ('Ges','F#'), ('GesM','F#'), ('Gesdur','F#'), ('Gesmaj','F#'), ('Gesmajor','F#'), ('Gflat','F#'),
  ('GflatM','F#'), ('Gflatdur','F#'), ('Gflatmaj','F#'), ('Gflatmajor','F#'), ('f#M','F#'), ('f#dur','F#'),
  ('f#maj','F#'), ('f#major','F#'), ('fisM','F#'), ('fisdur','F#'), ('fismaj','F#'), ('fismajor','F#'),
  ('fsharpM','F#'), ('fsharpdur','F#'), ('fsharpmaj','F#'), ('gbM','F#'), ('gbdur','F#'), ('gbmaj','F#'),
  ('gbmajor','F#'), ('gesM','F#'), ('gesdur','F#'), ('gesmaj','F#'), ('gesmajor','F#'), ('gflatM','F#'),
  ('gflatdur','F#'), ('gflatmaj','F#'), ('gflatmajor','F#'),
  ('02d','G'), ('09b','G'), ('2d','G'), ('9b','G'), ('G','G'), ('GM','G'), ('Gdur','G'), ('Gmaj','G'), ('Gmajor','G'),
  ('gM','G'), ('gdur','G'), ('gmaj','G'), ('gmajor','G'),
  ('04b','Ab'), ('09d','Ab'), ('4b','Ab'), ('9d','Ab'), ('Ab','Ab'), ('AbM','Ab'), ('Abdur','Ab'), ('Abmaj','Ab'),
  ('Abmajor','Ab'), ('Aflat','Ab'), ('AflatM','Ab'), ('Aflatdur','Ab'), ('Aflatmaj','Ab'), ('Aflatmajor','Ab'),
  ('As','Ab'), ('AsM','Ab'), ('Asdur','Ab'), ('Asmaj','Ab'), ('Asmajor','Ab'), ('G#','Ab'), ('G#M','Ab'),
  ('G#dur','Ab'), ('G#maj','Ab'), ('G#major','Ab'), ('Gis','Ab'), ('GisM','Ab'), ('Gisdur','Ab'), ('Gismaj','Ab'),
  ('Gismajor','Ab'), ('Gsharp','Ab'), ('GsharpM','Ab'), ('Gsharpdur','Ab'), ('Gsharpmaj','Ab'), ('abM','Ab'),
  ('abdur','Ab'), ('abmaj','Ab'), ('abmajor','Ab'), ('aflatM','Ab'), ('aflatdur','Ab'), ('aflatmaj','Ab'),
  ('aflatmajor','Ab'), ('asM','Ab'), ('asdur','Ab'), ('asmaj','Ab'), ('asmajor','Ab'), ('g#M','Ab'), ('g#dur','Ab'),
  ('g#maj','Ab'), ('g#major','Ab'), ('gisM','Ab'), ('gisdur','Ab'), ('gismaj','Ab'), ('gismajor','Ab'),
  ('gsharpM','Ab'), ('gsharpdur','Ab'), ('gsharpmaj','Ab'),
  ('04d','A'), ('11b','A'), ('4d','A'), ('A','A'), ('AM','A'), ('Adur','A'), ('Amaj','A'), ('Amajor','A'), ('aM','A'),
  ('adur','A'), ('amaj','A'), ('amajor','A'),
  ('06b','Bb'), ('11d','Bb'), ('6b','Bb'), ('A#','Bb'), ('A#M','Bb'), ('A#dur','Bb'), ('A#maj','Bb'), ('A#major','Bb'),
  ('Ais','Bb'), ('AisM','Bb'), ('Aisdur','Bb'), ('Aismaj','Bb'), ('Aismajor','Bb'), ('Asharp','Bb'), ('AsharpM','Bb'),
  ('Asharpdur','Bb'), ('Asharpmaj','Bb'), ('Bb','Bb'), ('BbM','Bb'), ('Bbdur','Bb'), ('Bbmaj','Bb'), ('Bbmajor','Bb'),
  ('Bdur','Bb'), ('Bflat','Bb'), ('BflatM','Bb'), ('Bflatdur','Bb'), ('Bflatmaj','Bb'), ('Bflatmajor','Bb'),
  ('a#M','Bb'), ('a#dur','Bb'), ('a#maj','Bb'), ('a#major','Bb'), ('aisM','Bb'), ('aisdur','Bb'), ('aismaj','Bb'),
  ('aismajor','Bb'), ('asharpM','Bb'), ('asharpdur','Bb'), ('asharpmaj','Bb'), ('bbM','Bb'), ('bbdur','Bb'),
  ('bbmaj','Bb'), ('bbmajor','Bb'), ('bdur','Bb'), ('bflatM','Bb'), ('bflatdur','Bb'), ('bflatmaj','Bb'),
  ('bflatmajor','Bb'),
  ('01b','B'), ('06d','B'), ('1b','B'), ('6d','B'), ('B','B'), ('BM','B'), ('Bmaj','B'), ('Bmajor','B'), ('Cb','B'),
  ('CbM','B'), ('Cbdur','B'), ('Cbmaj','B'), ('Cbmajor','B'), ('Cflat','B'), ('CflatM','B'), ('Cflatdur','B'),
  ('Cflatmaj','B'), ('Cflatmajor','B'), ('H','B'), ('HM','B'), ('Hdur','B'), ('Hmaj','B'), ('Hmajor','B'), ('bM','B'),
  ('bmaj','B'), ('bmajor','B'), ('cbM','B'), ('cbdur','B'), ('cbmaj','B'), ('cbmajor','B'), ('cflatM','B'),
  ('cflatdur','B'), ('cflatmaj','B'), ('cflatmajor','B'), ('hM','B'), ('hdur','B'), ('hmaj','B'), ('hmajor','B'),
  ('05a','Cm'), ('10m','Cm'), ('5a','Cm'), ('B#m','Cm'), ('B#min','Cm'), ('B#minor','Cm'), ('B#moll','Cm'),
  ('Bsharpm','Cm'), ('Bsharpmin','Cm'), ('Bsharpmoll','Cm'), ('Cm','Cm'), ('Cmin','Cm'), ('Cminor','Cm'),
  ('Cmoll','Cm'), ('b#','Cm'), ('b#m','Cm'), ('b#min','Cm'), ('b#minor','Cm'), ('b#moll','Cm'), ('bsharp','Cm'),
  ('bsharpm','Cm'), ('bsharpmin','Cm'), ('bsharpmoll','Cm'), ('c','Cm'), ('cm','Cm'), ('cmin','Cm'), ('cminor','Cm'),
  ('cmoll','Cm'),
  ('05m','C#m'), ('12a','C#m'), ('5m','C#m'), ('C#m','C#m'), ('C#min','C#m'), ('C#minor','C#m'), ('C#moll','C#m'),
  ('Cism','C#m'), ('Cismin','C#m'), ('Cisminor','C#m'), ('Cismoll','C#m'), ('Csharpm','C#m'), ('Csharpmin','C#m'),
  ('Csharpmoll','C#m'), ('Dbm','C#m'), ('Dbmin','C#m'), ('Dbminor','C#m'), ('Dbmoll','C#m'), ('Desm','C#m'),
  ('Desmin','C#m'), ('Desminor','C#m'), ('Desmoll','C#m'), ('Dflatm','C#m'), ('Dflatmin','C#m'), ('Dflatminor','C#m'),
  ('Dflatmoll','C#m'), ('c#','C#m'), ('c#m','C#m'), ('c#min','C#m'), ('c#minor','C#m'), ('c#moll','C#m'),
  ('cis','C#m'), ('cism','C#m'), ('cismin','C#m'), ('cisminor','C#m'), ('cismoll','C#m'), ('csharp','C#m'),
  ('csharpm','C#m'), ('csharpmin','C#m'), ('csharpmoll','C#m'), ('db','C#m'), ('dbm','C#m'), ('dbmin','C#m'),
  ('dbminor','C#m'), ('dbmoll','C#m'), ('des','C#m'), ('desm','C#m'), ('desmin','C#m'), ('desminor','C#m'),
  ('desmoll','C#m'), ('dflat','C#m'), ('dflatm','C#m'), ('dflatmin','C#m'), ('dflatminor','C#m'), ('dflatmoll','C#m'),
  ('07a','Dm'), ('12m','Dm'), ('7a','Dm'), ('Dm','Dm'), ('Dmin','Dm'), ('Dminor','Dm'), ('Dmoll','Dm'), ('d','Dm'),
  ('dm','Dm'), ('dmin','Dm'), ('dminor','Dm'), ('dmoll','Dm'),
  ('02a','Ebm'), ('07m','Ebm'), ('2a','Ebm'), ('7m','Ebm'), ('D#m','Ebm'), ('D#min','Ebm'), ('D#minor','Ebm'),
  ('D#moll','Ebm'), ('Dism','Ebm'), ('Dismin','Ebm'), ('Disminor','Ebm'), ('Dismoll','Ebm'), ('Dsharpm','Ebm'),
  ('Dsharpmin','Ebm'), ('Dsharpmoll','Ebm'), ('Ebm','Ebm'), ('Ebmin','Ebm'), ('Ebminor','Ebm'), ('Ebmoll','Ebm'),
  ('Eflatm','Ebm'), ('Eflatmin','Ebm'), ('Eflatminor','Ebm'), ('Eflatmoll','Ebm'), ('Esm','Ebm'), ('Esmin','Ebm'),
  ('Esminor','Ebm'), ('Esmoll','Ebm'), ('d#','Ebm'), ('d#m','Ebm'), ('d#min','Ebm'), ('d#minor','Ebm'),
  ('d#moll','Ebm'), ('dis','Ebm'), ('dism','Ebm'), ('dismin','Ebm'), ('disminor','Ebm'), ('dismoll','Ebm'),
  ('dsharp','Ebm'), ('dsharpm','Ebm'), ('dsharpmin','Ebm'), ('dsharpmoll','Ebm'), ('eb','Ebm'), ('ebm','Ebm'),
  ('ebmin','Ebm'), ('ebminor','Ebm'), ('ebmoll','Ebm'), ('eflat','Ebm'), ('eflatm','Ebm'), ('eflatmin','Ebm'),
  ('eflatminor','Ebm'), ('eflatmoll','Ebm'), ('es','Ebm'), ('esm','Ebm'), ('esmin','Ebm'), ('esminor','Ebm'),
  ('esmoll','Ebm'),
  ('02m','Em'), ('09a','Em'), ('2m','Em'), ('9a','Em'), ('Em','Em'), ('Emin','Em'), ('Eminor','Em'), ('Emoll','Em'),
  ('Fbm','Em'), ('Fbmin','Em'), ('Fbminor','Em'), ('Fbmoll','Em'), ('Fflatm','Em'), ('Fflatmin','Em'),
  ('Fflatminor','Em'), ('Fflatmoll','Em'), ('e','Em'), ('em','Em'), ('emin','Em'), ('eminor','Em'), ('emoll','Em'),
  ('fb','Em'), ('fbm','Em'), ('fbmin','Em'), ('fbminor','Em'), ('fbmoll','Em'), ('fflat','Em'), ('fflatm','Em'),
  ('fflatmin','Em'), ('fflatminor','Em'), ('fflatmoll','Em'),
  ('04a','Fm'), ('09m','Fm'), ('4a','Fm'), ('9m','Fm'), ('E#m','Fm'), ('E#min','Fm'), ('E#minor','Fm'),
  ('E#moll','Fm'), ('Esharpm','Fm'), ('Esharpmin','Fm'), ('Esharpmoll','Fm'), ('Fm','Fm'), ('Fmin','Fm'),
  ('Fminor','Fm'), ('Fmoll','Fm'), ('e#','Fm'), ('e#m','Fm'), ('e#min','Fm'), ('e#minor','Fm'), ('e#moll','Fm'),
  ('esharp','Fm'), ('esharpm','Fm'), ('esharpmin','Fm'), ('esharpmoll','Fm'), ('f','Fm'), ('fm','Fm'), ('fmin','Fm'),
  ('fminor','Fm'), ('fmoll','Fm'),
  ('04m','F#m'), ('11a','F#m'), ('4m','F#m'), ('F#m','F#m'), ('F#min','F#m'), ('F#minor','F#m'), ('F#moll','F#m'),
  ('Fism','F#m'), ('Fismin','F#m'), ('Fisminor','F#m'), ('Fismoll','F#m'), ('Fsharpm','F#m'), ('Fsharpmin','F#m'),
  ('Fsharpmoll','F#m'), ('Gbm','F#m'), ('Gbmin','F#m'), ('Gbminor','F#m'), ('Gbmoll','F#m'), ('Gesm','F#m'),
  ('Gesmin','F#m'), ('Gesminor','F#m'), ('Gesmoll','F#m'), ('Gflatm','F#m'), ('Gflatmin','F#m'), ('Gflatminor','F#m'),
  ('Gflatmoll','F#m'), ('f#','F#m'), ('f#m','F#m'), ('f#min','F#m'), ('f#minor','F#m'), ('f#moll','F#m'),
  ('fis','F#m'), ('fism','F#m'), ('fismin','F#m'), ('fisminor','F#m'), ('fismoll','F#m'), ('fsharp','F#m'),
  ('fsharpm','F#m'), ('fsharpmin','F#m'), ('fsharpmoll','F#m'), ('gb','F#m'), ('gbm','F#m'), ('gbmin','F#m'),
  ('gbminor','F#m'), ('gbmoll','F#m'), ('ges','F#m'), ('gesm','F#m'), ('gesmin','F#m'), ('gesminor','F#m'),
  ('gesmoll','F#m'), ('gflat','F#m'), ('gflatm','F#m'), ('gflatmin','F#m'), ('gflatminor','F#m'), ('gflatmoll','F#m'),
  ('06a','Gm'), ('11m','Gm'), ('6a','Gm'), ('Gm','Gm'), ('Gmin','Gm'), ('Gminor','Gm'), ('Gmoll','Gm'), ('g','Gm'),
  ('gm','Gm'), ('gmin','Gm'), ('gminor','Gm'), ('gmoll','Gm'),
  ('01a','G#m'), ('06m','G#m'), ('1a','G#m'), ('6m','G#m'), ('Abm','G#m'), ('Abmin','G#m'), ('Abminor','G#m'),
  ('Abmoll','G#m'), ('Aflatm','G#m'), ('Aflatmin','G#m'), ('Aflatminor','G#m'), ('Aflatmoll','G#m'), ('Asm','G#m'),
  ('Asmin','G#m'), ('Asminor','G#m'), ('Asmoll','G#m'), ('G#m','G#m'), ('G#min','G#m'), ('G#minor','G#m'),
  ('G#moll','G#m'), ('Gism','G#m'), ('Gismin','G#m'), ('Gisminor','G#m'), ('Gismoll','G#m'), ('Gsharpm','G#m'),
  ('Gsharpmin','G#m'), ('Gsharpmoll','G#m'), ('ab','G#m'), ('abm','G#m'), ('abmin','G#m'), ('abminor','G#m'),
  ('abmoll','G#m'), ('aflat','G#m'), ('aflatm','G#m'), ('aflatmin','G#m'), ('aflatminor','G#m'), ('aflatmoll','G#m'),
  ('as','G#m'), ('asm','G#m'), ('asmin','G#m'), ('asminor','G#m'), ('asmoll','G#m'), ('g#','G#m'), ('g#m','G#m'),
  ('g#min','G#m'), ('g#minor','G#m'), ('g#moll','G#m'), ('gis','G#m'), ('gism','G#m'), ('gismin','G#m'),
  ('gisminor','G#m'), ('gismoll','G#m'), ('gsharp','G#m'), ('gsharpm','G#m'), ('gsharpmin','G#m'),
  ('gsharpmoll','G#m'),
  ('01m','Am'), ('08a','Am'), ('1m','Am'), ('8a','Am'), ('Am','Am'), ('Amin','Am'), ('Aminor','Am'), ('Amoll','Am'),
  ('a','Am'), ('am','Am'), ('amin','Am'), ('aminor','Am'), ('amoll','Am'),
  ('03a','Bbm'), ('08m','Bbm'), ('3a','Bbm'), ('8m','Bbm'), ('A#m','Bbm'), ('A#min','Bbm'), ('A#minor','Bbm'),
  ('A#moll','Bbm'), ('Aism','Bbm'), ('Aismin','Bbm'), ('Aisminor','Bbm'), ('Aismoll','Bbm'), ('Asharpm','Bbm'),
  ('Asharpmin','Bbm'), ('Asharpmoll','Bbm'), ('Bbm','Bbm'), ('Bbmin','Bbm'), ('Bbminor','Bbm'), ('Bbmoll','Bbm'),
  ('Bflatm','Bbm'), ('Bflatmin','Bbm'), ('Bflatminor','Bbm'), ('Bflatmoll','Bbm'), ('Bmoll','Bbm'), ('a#','Bbm'),
  ('a#m','Bbm'), ('a#min','Bbm'), ('a#minor','Bbm'), ('a#moll','Bbm'), ('ais','Bbm'), ('aism','Bbm'), ('aismin','Bbm'),
  ('aisminor','Bbm'), ('aismoll','Bbm'), ('asharp','Bbm'), ('asharpm','Bbm'), ('asharpmin','Bbm'),
  ('asharpmoll','Bbm'), ('bb','Bbm'), ('bbm','Bbm'), ('bbmin','Bbm'), ('bbminor','Bbm'), ('bbmoll','Bbm'),
  ('bflat','Bbm'), ('bflatm','Bbm'), ('bflatmin','Bbm'), ('bflatminor','Bbm'), ('bflatmoll','Bbm'), ('bmoll','Bbm'),
  ('03m','Bm'), ('10a','Bm'), ('3m','Bm'), ('Bm','Bm'), ('Bmin','Bm'), ('Bminor','Bm'), ('Cbm','Bm'), ('Cbmin','Bm'),
  ('Cbminor','Bm'), ('Cbmoll','Bm'), ('Cflatm','Bm'), ('Cflatmin','Bm'), ('Cflatminor','Bm'), ('Cflatmoll','Bm'),
  ('Hm','Bm'), ('Hmin','Bm'), ('Hminor','Bm'), ('Hmoll','Bm'), ('b','Bm'), ('bm','Bm'), ('bmin','Bm'), ('bminor','Bm'),
  ('cb','Bm'), ('cbm','Bm'), ('cbmin','Bm'), ('cbminor','Bm'), ('cbmoll','Bm'), ('cflat','Bm'), ('cflatm','Bm'),
  ('cflatmin','Bm'), ('cflatminor','Bm'), ('cflatmoll','Bm'), ('h','Bm'), ('hm','Bm'), ('hmin','Bm'), ('hminor','Bm'),
  ('hmoll','Bm')
ON DUPLICATE KEY UPDATE musical_key = VALUES(musical_key);

-- Folding, the same as `fold` of store/src/musical_key.rs: without spaces and hyphens, signs in ASCII, and all but the first
-- letter and a final `M` in lower case. What is no spelling gives NULL. Only when key_signature changes, byte by byte:
-- to the column's collation `B` and `b` are one.
--
-- Tempo: whoever writes one of bpm and tempo has the other follow; of both, tempo is the finer, if they agree to
-- within one beat, and else bpm counts.

DROP TRIGGER IF EXISTS canonical_workflows_insert;
CREATE TRIGGER canonical_workflows_insert BEFORE INSERT ON workflows FOR EACH ROW
BEGIN
  DECLARE written VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  IF NEW.key_signature IS NULL THEN
    SET NEW.musical_key = NULL;
  ELSE
    SET written = CONVERT(NEW.key_signature USING utf8mb4);
    SET written = REPLACE(REPLACE(written, ' ', ''), '_', '');
    SET written = REPLACE(REPLACE(written, _utf8mb4 0xE299AF, '#'), _utf8mb4 0xE299AD, 'b');
    IF RIGHT(written, 1) <> '-' THEN
      SET written = REPLACE(written, '-', '');
    END IF;
    IF LENGTH(written) > CHAR_LENGTH(written) THEN
      SET written = NULL;
    ELSEIF RIGHT(written, 1) = 'M' AND CHAR_LENGTH(written) > 1 THEN
      SET written = CONCAT(LEFT(written, 1), LOWER(SUBSTRING(written, 2, CHAR_LENGTH(written) - 2)), 'M');
    ELSE
      SET written = CONCAT(LEFT(written, 1), LOWER(SUBSTRING(written, 2)));
    END IF;
    SET NEW.musical_key = (SELECT listed.musical_key FROM musical_key_spellings AS listed WHERE listed.spelling = written);
  END IF;
  IF NEW.bpm IS NULL THEN
    SET NEW.bpm = ROUND(NEW.tempo);
  ELSEIF NEW.tempo IS NULL OR ABS(NEW.tempo - NEW.bpm) >= 1 THEN
    SET NEW.tempo = IF(NEW.bpm BETWEEN 0 AND 9999, NEW.bpm, NULL);
  END IF;
END;

DROP TRIGGER IF EXISTS canonical_workflows_update;
CREATE TRIGGER canonical_workflows_update BEFORE UPDATE ON workflows FOR EACH ROW
BEGIN
  DECLARE written VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
  IF NEW.key_signature IS NULL THEN
    SET NEW.musical_key = NULL;
  ELSEIF NOT (CAST(NEW.key_signature AS BINARY) <=> CAST(OLD.key_signature AS BINARY)
              AND NEW.musical_key <=> OLD.musical_key AND NEW.musical_key IS NOT NULL) THEN
    SET written = CONVERT(NEW.key_signature USING utf8mb4);
    SET written = REPLACE(REPLACE(written, ' ', ''), '_', '');
    SET written = REPLACE(REPLACE(written, _utf8mb4 0xE299AF, '#'), _utf8mb4 0xE299AD, 'b');
    IF RIGHT(written, 1) <> '-' THEN
      SET written = REPLACE(written, '-', '');
    END IF;
    IF LENGTH(written) > CHAR_LENGTH(written) THEN
      SET written = NULL;
    ELSEIF RIGHT(written, 1) = 'M' AND CHAR_LENGTH(written) > 1 THEN
      SET written = CONCAT(LEFT(written, 1), LOWER(SUBSTRING(written, 2, CHAR_LENGTH(written) - 2)), 'M');
    ELSE
      SET written = CONCAT(LEFT(written, 1), LOWER(SUBSTRING(written, 2)));
    END IF;
    SET NEW.musical_key = (SELECT listed.musical_key FROM musical_key_spellings AS listed WHERE listed.spelling = written);
  END IF;
  IF NEW.tempo <=> OLD.tempo AND NOT (NEW.bpm <=> OLD.bpm) THEN
    SET NEW.tempo = IF(NEW.bpm BETWEEN 0 AND 9999, NEW.bpm, NULL);
  ELSEIF NEW.bpm <=> OLD.bpm AND NOT (NEW.tempo <=> OLD.tempo) THEN
    SET NEW.bpm = ROUND(NEW.tempo);
  ELSE
    IF NEW.bpm IS NULL THEN
      SET NEW.bpm = ROUND(NEW.tempo);
    ELSEIF NEW.tempo IS NULL OR ABS(NEW.tempo - NEW.bpm) >= 1 THEN
      SET NEW.tempo = IF(NEW.bpm BETWEEN 0 AND 9999, NEW.bpm, NULL);
    END IF;
  END IF;
END;
