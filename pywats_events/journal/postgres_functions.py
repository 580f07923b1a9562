"""What the server does by itself: one function for each thing that changes the journal.

Each is one statement, sent as a whole, and one transaction. All of them begin with ``turn``: of all processes
that share the journal one writes at a time, and the lock is held while the server works, never while a
network or a client is waited for. So the order of the journal (``seq``) is the order of the commits:
nothing can still appear before what anybody has seen. That is what the order of a lane rests on, and what
makes paging complete.

Joins with tables are written as LATERAL ... LIMIT or OFFSET 0 where the planner must not choose anything but
one look into an index for each row: its plans are kept for long, and made while the tables may be empty.
"""

# ruff: noqa: E501, S608  # SQL has longer lines; it is put together of words of ours only

from __future__ import annotations

from typing import Final

from pywats_events.journal.records import MOST_PARKINGS, SUPERSEDED
from pywats_events.journal.stored_values import PARKED

#: The settings of functions that only ever look rows up one by one.
_BY_INDEX: Final = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"

#: The first half of the number of every lock that journals take; the second is the schema's.
LOCKS: Final = 0x70774A4C

_TURN: Final = f"""
CREATE OR REPLACE FUNCTION turn() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock({LOCKS}, hashtext(current_schema()))
$$;

CREATE OR REPLACE FUNCTION channel() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'pywats_journal_' || md5(current_schema())
$$;

-- Make a text comparable, for all languages where the server knows how.
DO $do$
BEGIN
    IF EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu') THEN
        CREATE OR REPLACE FUNCTION comparable(given text) RETURNS text LANGUAGE sql IMMUTABLE AS
            'SELECT lower(given COLLATE "und-x-icu")';
    ELSE
        CREATE OR REPLACE FUNCTION comparable(given text) RETURNS text LANGUAGE sql IMMUTABLE AS
            'SELECT lower(given)';
    END IF;
END $do$;

-- Tell the other processes that something may be ready.
CREATE OR REPLACE FUNCTION wake() RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify(channel(), '')
$$;
"""

_SUMS: Final = f"""
-- Count deliveries (of one handler each) that went from one state to another.
CREATE OR REPLACE FUNCTION move(before int, after int, handlers text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO sums
    SELECT s.state::text, t.handler, s.sign * count(*)
    FROM unnest(handlers) AS t (handler) CROSS JOIN (VALUES (before, -1), (after, 1)) AS s (state, sign)
    GROUP BY s.state, t.handler, s.sign
$$;

CREATE OR REPLACE FUNCTION is_open(event_ bytea, message_ bigint) RETURNS boolean
LANGUAGE plpgsql STABLE {_BY_INDEX} AS $$
BEGIN
    RETURN EXISTS (SELECT FROM deliveries WHERE message = message_ AND event = event_ AND state < 4);
END $$;

-- Keep the books of messages: each counts once, by the first that fits of waiting (0), dead (1), done (2),
-- discarded (3), dropped (4).
CREATE OR REPLACE FUNCTION account(ids bigint[], moment bigint) RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    WITH counted AS (
        UPDATE messages m SET class = now.class, since = CASE WHEN now.class > 1 THEN moment ELSE m.received_at END
        FROM (SELECT DISTINCT id FROM unnest(ids) AS given (id)) t
        CROSS JOIN LATERAL (SELECT class FROM messages WHERE id = t.id OFFSET 0) before
        CROSS JOIN LATERAL (
            SELECT CASE WHEN bool_or(d.state < 4) THEN 0 WHEN bool_or(d.state = 6) THEN 1
                WHEN bool_or(d.state = 4) THEN 2 WHEN bool_or(d.state = 7) THEN 3 ELSE 4 END AS class
            FROM deliveries d WHERE d.message = t.id
        ) now
        WHERE m.id = t.id AND now.class <> before.class
        RETURNING m.transport, before.class AS before, m.class AS after
    )
    INSERT INTO sums
    SELECT 'm' || class, transport, sum(number) FROM (
        SELECT before, transport, -count(*) FROM counted GROUP BY 1, 2
        UNION ALL SELECT after, transport, count(*) FROM counted GROUP BY 1, 2
    ) AS t (class, transport, number) GROUP BY 1, 2;
END $$;
"""

_LANES: Final = f"""
-- Make the oldest open delivery of each lane claimable, if it is pending and none is in flight.
CREATE OR REPLACE FUNCTION offer(lanes bytea[], handlers text[]) RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    UPDATE deliveries d SET ready = true
    FROM (SELECT DISTINCT * FROM unnest(lanes, handlers) AS given (lane, handler)) l
    CROSS JOIN LATERAL (
        SELECT o.seq, o.state, o.ready FROM deliveries o
        WHERE o.lane = l.lane AND o.handler = l.handler AND o.state < 4 ORDER BY o.seq LIMIT 1
    ) head
    LEFT JOIN LATERAL (
        SELECT true AS busy FROM deliveries f
        WHERE f.lane = l.lane AND f.handler = l.handler AND f.state = 1 LIMIT 1
    ) flying ON true
    WHERE d.seq = head.seq AND head.state = 0 AND NOT head.ready AND flying.busy IS NULL;
    IF FOUND THEN
        PERFORM wake();
    END IF;
END $$;

-- Make deliveries that wait, are parked or in flight pending; give their number.
CREATE OR REPLACE FUNCTION free(seqs bigint[], moment bigint) RETURNS bigint LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    lanes bytea[]; handlers text[]; befores smallint[];
BEGIN
    WITH freed AS (
        UPDATE deliveries d SET state = 0, due = NULL, changed = moment,
            freed = CASE WHEN before.state = 3 THEN moment ELSE d.freed END
        FROM (
            SELECT o.seq, o.state FROM unnest(seqs) AS given (seq)
            CROSS JOIN LATERAL (SELECT * FROM deliveries d WHERE d.seq = given.seq OFFSET 0) o
        ) before
        WHERE d.seq = before.seq
        RETURNING d.lane, d.handler, before.state
    )
    SELECT array_agg(lane), array_agg(handler), array_agg(state) INTO lanes, handlers, befores FROM freed;
    IF lanes IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM parked WHERE delivery = ANY (seqs);
    INSERT INTO sums
        SELECT state::text, handler, -count(*) FROM unnest(befores, handlers) AS t (state, handler) GROUP BY 1, 2
        UNION ALL SELECT '0', handler, count(*) FROM unnest(handlers) AS t (handler) GROUP BY 2;
    PERFORM offer(lanes, handlers);
    RETURN cardinality(lanes);
END $$;

-- Set free what is parked on any of the names; give its number.
CREATE OR REPLACE FUNCTION unpark(hashes bytea[], moment bigint) RETURNS bigint LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    seqs bigint[];
BEGIN
    PERFORM turn();
    SELECT array_agg(DISTINCT delivery) INTO seqs FROM parked WHERE hash = ANY (hashes);
    RETURN CASE WHEN seqs IS NULL THEN 0 ELSE free(seqs, moment) END;
END $$;

-- Write facts down (the latest of each key holds), and set free what waits for them.
CREATE OR REPLACE FUNCTION learn(
    hashes bytea[], keys text[], vals text[], times bigint[], moment bigint
) RETURNS void LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    learnt bytea[];
BEGIN
    PERFORM turn();
    WITH newest AS (
        SELECT DISTINCT ON (hash) hash, key, value, time
        FROM unnest(hashes, keys, vals, times) WITH ORDINALITY AS given (hash, key, value, time, n)
        ORDER BY hash, time DESC, n DESC
    ), written AS (
        INSERT INTO facts AS known SELECT hash, key, value, time, moment FROM newest
        ON CONFLICT (hash) DO UPDATE SET value = excluded.value, time = excluded.time, learnt = excluded.learnt
        WHERE excluded.time >= known.time
        RETURNING hash
    )
    SELECT array_agg(hash) INTO learnt FROM written;
    IF learnt IS NOT NULL THEN
        PERFORM unpark(learnt, moment);
    END IF;
END $$;
"""

#: Receipts (r_), their events and unreadable parts (e_, each id once; r and e count from 1), deliveries (d_)
#: and facts (f_). An unreadable part has an error. Gives for each event whether it is new and whether it is
#: open.
_APPEND: Final = """
CREATE OR REPLACE FUNCTION append(
    r_transport text[], r_seen bigint[], r_repeats int[], r_body bytea[], r_address text[], r_type text[],
    r_encoding text[], r_properties text[],
    e_receipt int[], e_hash bytea[], e_id text[], e_document bytea[], e_lane bytea[], e_unit bytea[], e_key text[],
    e_type text[], e_source text[], e_name text[], e_error text[], e_reason text[], e_attempt text[],
    e_fingerprint text[],
    d_event int[], d_handler text[],
    f_receipt int[], f_hash bytea[], f_key text[], f_value text[], f_time bigint[],
    moment bigint
) RETURNS TABLE (is_new boolean, is_open boolean) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    news boolean[]; messages_ bigint[]; readies int;
    hashes bytea[]; keys text[]; vals text[]; times bigint[];
BEGIN
    PERFORM turn();
    SELECT array_agg(known.yes IS NULL ORDER BY e.n) INTO news
    FROM unnest(e_hash) WITH ORDINALITY AS e (hash, n)
    LEFT JOIN LATERAL (SELECT true AS yes FROM events WHERE hash = e.hash LIMIT 1) known ON true;

    -- a message is kept when it has deliveries; the books count all
    WITH parts AS (
        SELECT receipt, count(*) AS number, count(*) FILTER (WHERE fresh) AS fresh
        FROM unnest(e_receipt, news) AS e (receipt, fresh) GROUP BY 1
    ), users AS (
        SELECT e.receipt, bool_or(e.error IS NULL) AS open
        FROM unnest(d_event) AS d (event)
        JOIN unnest(e_receipt, news, e_error) WITH ORDINALITY AS e (receipt, fresh, error, n) ON e.n = d.event
        WHERE e.fresh GROUP BY 1
    ), taken AS (
        SELECT r.*, CASE WHEN u.open IS NOT NULL THEN nextval('messages_id_seq') END AS id,
            CASE WHEN u.open THEN 0 WHEN NOT u.open THEN 1
                WHEN coalesce(p.fresh, 0) = 0 AND coalesce(p.number, 0) + r.repeats > 0 THEN NULL ELSE 4 END AS class
        FROM unnest(r_transport, r_seen, r_repeats, r_body, r_address, r_type, r_encoding, r_properties)
            WITH ORDINALITY AS r (transport, seen, repeats, body, address, type, encoding, properties, n)
        LEFT JOIN parts p ON p.receipt = r.n
        LEFT JOIN users u ON u.receipt = r.n
    ), kept AS (
        INSERT INTO messages (
            id, class, since, has_raw, transport, address, content_type, content_encoding, properties, received_at
        ) OVERRIDING SYSTEM VALUE
        SELECT id, class, seen, body IS NOT NULL, transport, address, type, encoding, properties, seen
        FROM taken WHERE id IS NOT NULL
    ), kept_bodies AS (
        INSERT INTO bodies SELECT id, body FROM taken WHERE id IS NOT NULL AND body IS NOT NULL
    ), counted AS (
        INSERT INTO sums
        SELECT 'received', transport, count(*) FROM taken GROUP BY 2
        UNION ALL
        SELECT coalesce('m' || class, 'repeated'), transport, count(*) FROM taken GROUP BY 1, 2
        UNION ALL
        SELECT 'duplicates', transport, sum(repeats) FROM taken WHERE repeats > 0 GROUP BY 2
        UNION ALL
        SELECT name, r.transport, count(*)
        FROM unnest(e_receipt, news, e_error) WITH ORDINALITY AS e (receipt, fresh, error, n)
        JOIN taken r ON r.n = e.receipt
        CROSS JOIN LATERAL (
            SELECT 'duplicates' WHERE NOT e.fresh
            UNION ALL SELECT 'events' WHERE e.fresh AND e.error IS NULL
            UNION ALL SELECT 'unwanted' WHERE e.fresh AND e.error IS NULL AND e.n <> ALL (d_event)
        ) AS names (name)
        GROUP BY 1, 2
    )
    SELECT array_agg(id ORDER BY n) INTO messages_ FROM taken;

    INSERT INTO events (hash, seen, message, id, document)
    SELECT e.hash, r.seen, CASE WHEN e.n = ANY (d_event) THEN r.message END, e.id,
        CASE WHEN e.n = ANY (d_event) THEN e.document END
    FROM unnest(news, e_receipt, e_hash, e_id, e_document) WITH ORDINALITY
        AS e (fresh, receipt, hash, id, document, n)
    JOIN unnest(messages_, r_seen) WITH ORDINALITY AS r (message, seen, n) ON r.n = e.receipt
    WHERE e.fresh;

    WITH fresh AS (
        SELECT d.n, d.handler, e.*, r.message, r.seen,
            row_number() OVER (PARTITION BY e.lane, d.handler ORDER BY d.n) AS place
        FROM unnest(d_event, d_handler) WITH ORDINALITY AS d (event, handler, n)
        JOIN unnest(
            news, e_receipt, e_hash, e_lane, e_unit, e_key, e_type, e_source, e_name, e_error, e_reason, e_attempt,
            e_fingerprint
        ) WITH ORDINALITY AS e (
            fresh, receipt, hash, lane, unit, key, type, source, name, error, reason, attempt, fingerprint, event
        ) ON e.event = d.event
        JOIN unnest(messages_, r_seen) WITH ORDINALITY AS r (message, seen, receipt) ON r.receipt = e.receipt
        WHERE e.fresh
    ), added AS (
        INSERT INTO deliveries (
            event, message, lane, unit, handler, key, state, ready, first_seen, changed, event_type, source,
            message_name, error, reason, attempts, fingerprint
        )
        SELECT f.hash, f.message, f.lane, f.unit, f.handler, f.key, CASE WHEN f.error IS NULL THEN 0 ELSE 6 END,
            f.error IS NULL AND f.place = 1 AND other.busy IS NULL,
            f.seen, f.seen, f.type, f.source, f.name, f.error, f.reason, f.attempt, f.fingerprint
        FROM fresh f
        LEFT JOIN LATERAL (
            SELECT true AS busy FROM deliveries o
            WHERE o.lane = f.lane AND o.handler = f.handler AND o.state < 4 LIMIT 1
        ) other ON f.error IS NULL AND f.place = 1
        ORDER BY f.n
        RETURNING handler, state, ready
    ), counted AS (
        INSERT INTO sums SELECT state::text, handler, count(*) FROM added GROUP BY 1, 2
    )
    SELECT count(*) FILTER (WHERE ready) INTO readies FROM added;

    IF cardinality(f_receipt) > 0 THEN
        SELECT array_agg(f.hash ORDER BY f.n), array_agg(f.key ORDER BY f.n),
            array_agg(f.value ORDER BY f.n), array_agg(f.time ORDER BY f.n)
        INTO hashes, keys, vals, times
        FROM unnest(f_receipt, f_hash, f_key, f_value, f_time) WITH ORDINALITY
            AS f (receipt, hash, key, value, time, n)
        WHERE f.receipt IN (
            SELECT e.receipt FROM unnest(e_receipt, news, e_error) AS e (receipt, fresh, error)
            WHERE e.fresh AND e.error IS NULL
        );
        IF hashes IS NOT NULL THEN
            PERFORM learn(hashes, keys, vals, times, moment);
        END IF;
    END IF;
    IF readies > 0 THEN
        PERFORM wake();
    END IF;
    RETURN QUERY
        SELECT e.fresh, coalesce(o.found, false)
        FROM unnest(news, e_hash) WITH ORDINALITY AS e (fresh, hash, n)
        LEFT JOIN LATERAL (SELECT message FROM events WHERE hash = e.hash LIMIT 1) m ON true
        LEFT JOIN LATERAL (
            SELECT true AS found FROM deliveries d
            WHERE d.message = m.message AND d.event = e.hash AND d.state < 4 LIMIT 1
        ) o ON true
        ORDER BY e.n;
END $$;
"""

_CLAIM: Final = f"""
-- Take what is ready, oldest first. What was waiting for this moment, or is in flight under a lease that has
-- ended, is made ready before. Of the handlers named in newest_only, what a later one has made needless is
-- dropped when its turn comes. Other rows tell which events are closed by that, and the next such moment.
CREATE OR REPLACE FUNCTION claim(
    names text[], newest_only text[], not_before bigint, most int, moment bigint, until bigint
) RETURNS TABLE (
    seq bigint, document bytea, handler text, tries int, first_seen bigint, claim bigint, closed text,
    next_due bigint
) LANGUAGE plpgsql {_BY_INDEX} AS $$
#variable_conflict use_column
DECLARE
    due_now bigint[]; chosen bigint[]; needless bigint[]; gone text[];
BEGIN
    PERFORM turn();
    due_now := ARRAY(SELECT d.seq FROM deliveries d WHERE d.due <= moment ORDER BY d.due LIMIT 10000);
    IF cardinality(due_now) > 0 THEN
        PERFORM free(due_now, moment);
    END IF;
    LOOP
        chosen := ARRAY(
            SELECT c.seq FROM unnest(names) AS h (handler)
            CROSS JOIN LATERAL (
                SELECT d.first_seen, d.seq FROM deliveries d
                WHERE d.handler = h.handler AND d.ready AND d.first_seen >= not_before
                ORDER BY d.first_seen, d.seq LIMIT most
            ) c
            ORDER BY c.first_seen, c.seq LIMIT most
        );
        EXIT WHEN cardinality(chosen) = 0 OR cardinality(newest_only) = 0;
        -- of each lane, from its head on, all that have a later one of their kind
        needless := ARRAY(
            SELECT run.seq FROM unnest(chosen) AS c (seq)
            CROSS JOIN LATERAL (SELECT d.lane, d.handler FROM deliveries d WHERE d.seq = c.seq OFFSET 0) l
            CROSS JOIN LATERAL (
                SELECT w.seq, min(w.seq) FILTER (WHERE NOT w.outdone) OVER () AS stop FROM (
                    SELECT d.seq, d.state = 0 AND d.first_seen >= not_before AND d.seq < max(d.seq)
                        FILTER (WHERE d.state = 0) OVER (PARTITION BY d.event_type) AS outdone
                    FROM deliveries d
                    WHERE d.lane = l.lane AND d.handler = l.handler AND d.state < 4
                ) w
            ) run
            WHERE l.handler = ANY (newest_only) AND run.seq < run.stop
        );
        EXIT WHEN cardinality(needless) = 0;
        gone := gone || supersede(needless, moment);
    END LOOP;
    RETURN QUERY
        WITH taken AS (
            UPDATE deliveries d SET state = 1, ready = false, claim = d.claim + 1, due = until, changed = moment
            FROM unnest(chosen) AS c (seq) WHERE d.seq = c.seq
            RETURNING d.seq, d.event, d.handler, d.tries, d.first_seen, d.claim
        ), counted AS (
            INSERT INTO sums
            SELECT s.name, t.handler, s.sign * count(*)
            FROM taken t CROSS JOIN (VALUES ('0', -1), ('1', 1)) AS s (name, sign)
            GROUP BY s.name, t.handler, s.sign
        )
        SELECT t.seq, e.document, t.handler, t.tries, t.first_seen, t.claim, NULL::text, NULL::bigint
        FROM taken t CROSS JOIN LATERAL (SELECT document FROM events WHERE hash = t.event OFFSET 0) e
        ORDER BY t.first_seen, t.seq;
    RETURN QUERY
        SELECT NULL::bigint, NULL::bytea, NULL::text, NULL::int, NULL::bigint, NULL::bigint, g.id, NULL::bigint
        FROM unnest(gone) AS g (id);
    RETURN QUERY
        SELECT NULL::bigint, NULL::bytea, NULL::text, NULL::int, NULL::bigint, NULL::bigint, NULL::text,
            (SELECT d.due FROM deliveries d WHERE d.due IS NOT NULL ORDER BY d.due LIMIT 1);
END $$;

-- Drop deliveries that later ones have made needless; give the ids of the events that are closed by that.
CREATE OR REPLACE FUNCTION supersede(seqs bigint[], moment bigint) RETURNS text[]
LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    events_ bytea[]; messages_ bigint[]; lanes bytea[]; handlers text[];
BEGIN
    WITH dropped AS (
        UPDATE deliveries d SET state = 5, ready = false, rule = '{SUPERSEDED}', changed = moment
        FROM unnest(seqs) AS given (seq) WHERE d.seq = given.seq
        RETURNING d.event, d.message, d.lane, d.handler
    )
    SELECT array_agg(event), array_agg(message), array_agg(lane), array_agg(handler)
    INTO events_, messages_, lanes, handlers FROM dropped;
    PERFORM move(0, 5, handlers);
    PERFORM offer(lanes, handlers);
    PERFORM account(messages_, moment);
    RETURN ARRAY(
        SELECT DISTINCT e.id FROM unnest(events_, messages_) AS t (event, message)
        CROSS JOIN LATERAL (SELECT id FROM events WHERE hash = t.event OFFSET 0) e
        WHERE NOT is_open(t.event, t.message)
    );
END $$;

-- Keep claims that still hold for longer.
CREATE OR REPLACE FUNCTION extend(seqs bigint[], claims bigint[], until bigint) RETURNS void
LANGUAGE plpgsql {_BY_INDEX} AS $$
BEGIN
    PERFORM turn();
    UPDATE deliveries d SET due = until FROM unnest(seqs, claims) AS given (seq, claim)
    WHERE d.seq = given.seq AND d.claim = given.claim AND d.state = 1;
END $$;
"""

#: Tells in a stored history how often it was left alone, as the server writes it.
_MARK: Final = f', "{PARKED}", '
#: Whether a time of being left alone counts as one with that before it; see ``MOST_PARKINGS``.
_COUNTS_ON: Final = f"""(
    d.parks IS NOT NULL AND (
        (d.error = v.error AND d.reason = v.reason)
        OR length(d.attempts) - length(replace(d.attempts, '{_MARK}', '')) >= {MOST_PARKINGS * len(_MARK)}
    )
)"""
#: Verdicts (v_) and the names that parked ones wait for (p_; p_verdict counts from 1). A verdict under a claim
#: that does not hold any more is void. Gives the numbers of the verdicts that have closed an event.
_SETTLE: Final = f"""
CREATE OR REPLACE FUNCTION settle(
    v_seq bigint[], v_claim bigint[], v_state int[], v_due bigint[], v_error text[], v_reason text[], v_rule text[],
    v_detail text[], v_attempt text[], v_fingerprint text[],
    p_verdict int[], p_hash bytea[], p_name text[], p_place int[],
    moment bigint
) RETURNS TABLE (verdict bigint) LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    numbers bigint[]; events_ bytea[]; messages_ bigint[]; lanes bytea[]; handlers text[]; states int[];
BEGIN
    PERFORM turn();
    WITH settled AS (
        UPDATE deliveries d SET
            state = v.state, due = v.due, changed = moment,
            tries = d.tries + CASE WHEN v.attempt IS NULL THEN 0 ELSE 1 END,
            error = coalesce(v.error, d.error), reason = coalesce(v.reason, d.reason),
            rule = v.rule, detail = v.detail, fingerprint = v.fingerprint,
            attempts = CASE WHEN v.attempt IS NULL AND (v.state <> 3 OR d.parks IS NULL OR {_COUNTS_ON})
                THEN d.attempts
                ELSE concat_ws(',', d.attempts, CASE WHEN d.parks IS NOT NULL THEN json_build_array(
                    d.parked_since, d.error, d.reason, '{PARKED}', d.parks, d.parked_last, d.freed
                )::text END, v.attempt) END,
            parks = CASE WHEN v.state = 3 THEN CASE WHEN {_COUNTS_ON} THEN d.parks + 1 ELSE 1 END
                WHEN v.attempt IS NULL THEN d.parks END,
            parked_since = CASE WHEN v.state = 3 THEN CASE WHEN {_COUNTS_ON} THEN d.parked_since ELSE moment END
                WHEN v.attempt IS NULL THEN d.parked_since END,
            parked_last = CASE WHEN v.state = 3 THEN moment WHEN v.attempt IS NULL THEN d.parked_last END,
            freed = CASE WHEN v.state <> 3 AND v.attempt IS NULL THEN d.freed END
        FROM unnest(
            v_seq, v_claim, v_state, v_due, v_error, v_reason, v_rule, v_detail, v_attempt, v_fingerprint
        ) WITH ORDINALITY AS v (seq, claim, state, due, error, reason, rule, detail, attempt, fingerprint, n)
        WHERE d.seq = v.seq AND d.state = 1 AND d.claim = v.claim
        RETURNING v.n, d.event, d.message, d.lane, d.handler, d.state
    )
    SELECT array_agg(n), array_agg(event), array_agg(message), array_agg(lane), array_agg(handler), array_agg(state)
    INTO numbers, events_, messages_, lanes, handlers, states FROM settled;
    IF numbers IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(p_verdict) > 0 THEN
        INSERT INTO parked (hash, delivery, name, place)
        SELECT p.hash, v_seq[p.verdict], p.name, p.place
        FROM unnest(p_verdict, p_hash, p_name, p_place) AS p (verdict, hash, name, place)
        WHERE p.verdict = ANY (numbers)
        ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO sums
        SELECT state::text, handler, count(*) FROM unnest(states, handlers) AS t (state, handler) GROUP BY 1, 2
        UNION ALL SELECT '1', handler, -count(*) FROM unnest(handlers) AS t (handler) GROUP BY 2;
    -- the next one, or an older one that was replayed meanwhile
    PERFORM offer(lanes, handlers);
    PERFORM account(
        ARRAY(SELECT message FROM unnest(messages_, states) AS t (message, state) WHERE state > 3), moment
    );
    RETURN QUERY
        SELECT max(t.n) FROM unnest(numbers, events_, messages_, states) AS t (n, event, message, state)
        WHERE t.state > 3 AND NOT is_open(t.event, t.message)
        GROUP BY t.event ORDER BY 1;
END $$;
"""

#: What people decide about dead letters, by their numbers, and what is done now and then.
_PEOPLE: Final = f"""
CREATE OR REPLACE FUNCTION replay(seqs bigint[], moment bigint) RETURNS bigint LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    messages_ bigint[]; lanes bytea[]; handlers text[];
BEGIN
    PERFORM turn();
    WITH replayed AS (
        UPDATE deliveries d SET state = 0, tries = 0, error = NULL, reason = NULL, fingerprint = NULL,
            changed = moment, attempts = concat_ws(',', d.attempts, json_build_array(moment)::text)
        FROM unnest(seqs) AS given (seq) WHERE d.seq = given.seq AND d.state = 6 AND d.handler <> ''
        RETURNING d.message, d.lane, d.handler
    )
    SELECT array_agg(message), array_agg(lane), array_agg(handler) INTO messages_, lanes, handlers FROM replayed;
    IF lanes IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM move(6, 0, handlers);
    -- who stands at the head of the lane is decided anew
    UPDATE deliveries d SET ready = false
    FROM (
        SELECT r.seq FROM (SELECT DISTINCT * FROM unnest(lanes, handlers) AS given (lane, handler)) l
        CROSS JOIN LATERAL (
            SELECT o.seq, o.ready FROM deliveries o
            WHERE o.lane = l.lane AND o.handler = l.handler AND o.state < 4 AND o.ready LIMIT 1
        ) r
    ) head
    WHERE d.seq = head.seq;
    PERFORM offer(lanes, handlers);
    PERFORM account(messages_, moment);
    RETURN cardinality(lanes);
END $$;

CREATE OR REPLACE FUNCTION discard(seqs bigint[], why text, moment bigint) RETURNS bigint
LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    messages_ bigint[]; handlers text[];
BEGIN
    PERFORM turn();
    WITH discarded AS (
        UPDATE deliveries d SET state = 7, rule = why, changed = moment
        FROM unnest(seqs) AS given (seq) WHERE d.seq = given.seq AND d.state = 6
        RETURNING d.message, d.handler
    )
    SELECT array_agg(message), array_agg(handler) INTO messages_, handlers FROM discarded;
    IF handlers IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM move(6, 7, handlers);
    PERFORM account(messages_, moment);
    RETURN cardinality(handlers);
END $$;

-- Remove some messages that were closed before a time; give how many, and how many deliveries went with them.
-- The ids of their events stay known.
CREATE OR REPLACE FUNCTION prune(before bigint, most int) RETURNS TABLE (messages_ bigint, rows_ bigint)
LANGUAGE plpgsql {_BY_INDEX} AS $$
DECLARE
    ids bigint[];
BEGIN
    PERFORM turn();
    ids := ARRAY(
        SELECT c.id FROM unnest(ARRAY[2, 3, 4]) AS closed (class)
        CROSS JOIN LATERAL (
            SELECT m.id FROM messages m
            WHERE m.class = closed.class AND m.since < before ORDER BY m.since LIMIT most
        ) c
        LIMIT most
    );
    RETURN QUERY
        WITH gone AS (
            DELETE FROM deliveries d USING unnest(ids) AS t (id) WHERE d.message = t.id
            RETURNING d.event, d.message
        ), known AS (
            UPDATE events e SET document = NULL, message = NULL, id = '' FROM gone
            WHERE e.hash = gone.event AND e.message = gone.message
        ), bytes AS (
            DELETE FROM bodies b USING unnest(ids) AS t (id) WHERE b.message = t.id
        ), empty AS (
            DELETE FROM messages m USING unnest(ids) AS t (id) WHERE m.id = t.id
        )
        SELECT cardinality(ids)::bigint, count(*) FROM gone;
END $$;

-- Bring the sums together in a few rows.
CREATE OR REPLACE FUNCTION fold_sums() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM turn();
    WITH gone AS (DELETE FROM sums RETURNING name, part, number)
    INSERT INTO sums SELECT name, part, sum(number) FROM gone GROUP BY 1, 2 HAVING sum(number) <> 0;
END $$;
"""

FUNCTIONS: Final = _TURN + _SUMS + _LANES + _APPEND + _CLAIM + _SETTLE + _PEOPLE
