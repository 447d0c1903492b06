-- Citations were elements beside a message; they are links in its text.

UPDATE steps SET output = linked_citations(output, (
    SELECT json_group_array(json(body)) FROM elements WHERE for_id = steps.id
))
WHERE id IN (
    SELECT for_id FROM elements
    WHERE json_extract(body, '$.type') = 'custom' AND json_extract(body, '$.display') = 'side'
);
DELETE FROM elements
WHERE json_extract(body, '$.type') = 'custom' AND json_extract(body, '$.display') = 'side';
