SELECT district, electric, AVG(fare) FILTER (WHERE fare > 3), GROUPING(district) FROM bike_trips GROUP BY ROLLUP (district, electric)
