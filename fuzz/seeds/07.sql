WITH t AS (SELECT * FROM bike_trips) SELECT COUNT(*) FROM bike_trips a JOIN bike_trips b ON a.person_id = b.person_id AND a.fare < b.fare
