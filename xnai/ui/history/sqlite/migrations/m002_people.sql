-- A person's id as the name of each user, in place of ``local`` and ``key:…``.

UPDATE users SET identifier = person_id_of_former_name(identifier);
