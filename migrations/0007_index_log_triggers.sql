-- Triggers that note in `index_log` which workflows' search documents changed, in the transaction of the change.
--
-- Comparisons are `<=>`, since NULL is a value here, and of text as BINARY: to the columns' collation `House` and `house`
-- are one, to the index they are not. What is compared is what a document is made of. Counters, counts_changed_at,
-- updated_at, last_active_at and the parser's bookkeeping are not, so a like never reaches the index.

DROP TRIGGER IF EXISTS log_workflows_insert;
CREATE TRIGGER log_workflows_insert AFTER INSERT ON workflows FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (NEW.id);

DROP TRIGGER IF EXISTS log_workflows_update;
CREATE TRIGGER log_workflows_update AFTER UPDATE ON workflows FOR EACH ROW
BEGIN
  IF NOT (
    NEW.user_id <=> OLD.user_id
    AND CAST(NEW.title AS BINARY) <=> CAST(OLD.title AS BINARY)
    AND CAST(NEW.description AS BINARY) <=> CAST(OLD.description AS BINARY)
    AND CAST(NEW.slug AS BINARY) <=> CAST(OLD.slug AS BINARY)
    AND NEW.rack_type <=> OLD.rack_type
    AND NEW.kind <=> OLD.kind
    AND NEW.preset_form <=> OLD.preset_form
    AND CAST(NEW.genre AS BINARY) <=> CAST(OLD.genre AS BINARY)
    AND NEW.bpm <=> OLD.bpm
    AND NEW.tempo <=> OLD.tempo
    AND CAST(NEW.key_signature AS BINARY) <=> CAST(OLD.key_signature AS BINARY)
    AND NEW.musical_key <=> OLD.musical_key
    AND NEW.difficulty_level <=> OLD.difficulty_level
    AND CAST(NEW.adg_file_path AS BINARY) <=> CAST(OLD.adg_file_path AS BINARY)
    AND CAST(NEW.preview_audio_path AS BINARY) <=> CAST(OLD.preview_audio_path AS BINARY)
    AND CAST(NEW.preview_image_path AS BINARY) <=> CAST(OLD.preview_image_path AS BINARY)
    AND NEW.file_size <=> OLD.file_size
    AND NEW.file_hash <=> OLD.file_hash
    AND NEW.content_hash <=> OLD.content_hash
    AND NEW.parse_state <=> OLD.parse_state
    AND CAST(NEW.ableton_version AS BINARY) <=> CAST(OLD.ableton_version AS BINARY)
    AND CAST(NEW.required_live_version AS BINARY) <=> CAST(OLD.required_live_version AS BINARY)
    AND NEW.required_edition <=> OLD.required_edition
    AND NEW.requirements <=> OLD.requirements
    AND NEW.devices_used <=> OLD.devices_used
    AND NEW.macro_controls <=> OLD.macro_controls
    AND NEW.is_published <=> OLD.is_published
    AND NEW.is_featured <=> OLD.is_featured
    AND NEW.published_at <=> OLD.published_at
    AND NEW.taken_down_at <=> OLD.taken_down_at
    AND NEW.created_at <=> OLD.created_at
  ) THEN
    INSERT INTO index_log (workflow_id) VALUES (NEW.id);
  END IF;
END;

DROP TRIGGER IF EXISTS log_workflows_delete;
CREATE TRIGGER log_workflows_delete AFTER DELETE ON workflows FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (OLD.id);

DROP TRIGGER IF EXISTS log_parsed_racks_insert;
CREATE TRIGGER log_parsed_racks_insert AFTER INSERT ON parsed_racks FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (NEW.workflow_id);

DROP TRIGGER IF EXISTS log_parsed_racks_update;
CREATE TRIGGER log_parsed_racks_update AFTER UPDATE ON parsed_racks FOR EACH ROW
BEGIN
  IF NOT (NEW.workflow_id <=> OLD.workflow_id AND NEW.summary <=> OLD.summary) THEN
    INSERT INTO index_log (workflow_id) VALUES (NEW.workflow_id);
    IF NEW.workflow_id <> OLD.workflow_id THEN
      INSERT INTO index_log (workflow_id) VALUES (OLD.workflow_id);
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS log_parsed_racks_delete;
CREATE TRIGGER log_parsed_racks_delete AFTER DELETE ON parsed_racks FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (OLD.workflow_id);

DROP TRIGGER IF EXISTS log_workflow_tag_pivot_insert;
CREATE TRIGGER log_workflow_tag_pivot_insert AFTER INSERT ON workflow_tag_pivot FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (NEW.workflow_id);

DROP TRIGGER IF EXISTS log_workflow_tag_pivot_update;
CREATE TRIGGER log_workflow_tag_pivot_update AFTER UPDATE ON workflow_tag_pivot FOR EACH ROW
BEGIN
  INSERT INTO index_log (workflow_id) VALUES (NEW.workflow_id);
  IF NEW.workflow_id <> OLD.workflow_id THEN
    INSERT INTO index_log (workflow_id) VALUES (OLD.workflow_id);
  END IF;
END;

DROP TRIGGER IF EXISTS log_workflow_tag_pivot_delete;
CREATE TRIGGER log_workflow_tag_pivot_delete AFTER DELETE ON workflow_tag_pivot FOR EACH ROW
  INSERT INTO index_log (workflow_id) VALUES (OLD.workflow_id);

DROP TRIGGER IF EXISTS log_workflow_tags_update;
CREATE TRIGGER log_workflow_tags_update AFTER UPDATE ON workflow_tags FOR EACH ROW
BEGIN
  IF NOT (CAST(NEW.name AS BINARY) <=> CAST(OLD.name AS BINARY)) THEN
    INSERT INTO index_log (workflow_id) SELECT workflow_id FROM workflow_tag_pivot WHERE tag_id = NEW.id;
  END IF;
END;

DROP TRIGGER IF EXISTS log_users_update;
CREATE TRIGGER log_users_update AFTER UPDATE ON users FOR EACH ROW
BEGIN
  IF NOT (
    CAST(NEW.username AS BINARY) <=> CAST(OLD.username AS BINARY)
    AND CAST(NEW.display_name AS BINARY) <=> CAST(OLD.display_name AS BINARY)
    AND NEW.is_active <=> OLD.is_active
    AND NEW.suspended_at <=> OLD.suspended_at
  ) THEN
    INSERT INTO index_log (workflow_id) SELECT id FROM workflows WHERE user_id = NEW.id;
  END IF;
END;
