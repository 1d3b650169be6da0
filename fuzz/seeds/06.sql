SELECT home, COUNT(*), SUM(total) FROM (SELECT person_id, home, COUNT(*) AS n, SUM(fare) AS total FROM bike_trips GROUP BY person_id, home) AS p WHERE n >= 2 GROUP BY home
