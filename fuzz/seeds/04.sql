SELECT note, day, COUNT(DISTINCT person_id) AS n FROM bike_trips GROUP BY note, day HAVING COUNT(*) > 5
