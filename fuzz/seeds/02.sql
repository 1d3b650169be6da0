SELECT district, COUNT(*), SUM(fare) FROM bike_trips WHERE distance > 100 AND NOT electric GROUP BY district
