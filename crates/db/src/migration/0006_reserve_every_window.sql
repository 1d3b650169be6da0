-- A project that goes on after its own window can spend its cap anew within the lineage's: what it has reserved counts
-- each of its windows. 86400000000 is a day in microseconds.
UPDATE lineage SET rho_reserved_nano = (
    SELECT CASE WHEN reserved > lineage.rho_window_cap_nano THEN lineage.rho_window_cap_nano ELSE reserved END
    FROM (
        SELECT COALESCE(CAST(SUM(a.rho_cap_nano * (CASE
            WHEN p.expires_at - a.created_at <= a.window_days * 86400000000 THEN 1
            WHEN p.expires_at - a.created_at < l.window_days * 86400000000
                THEN (p.expires_at - a.created_at + a.window_days * 86400000000 - 1) / (a.window_days * 86400000000)
            ELSE (l.window_days + a.window_days - 1) / a.window_days
        END)) AS {bigint}), 0) AS reserved
        FROM allocation a
        JOIN project p ON p.id = a.project_id
        JOIN lineage l ON l.id = a.lineage_id
        WHERE a.lineage_id = lineage.id AND a.closed_at IS NULL
    ) AS open_allocations
);
