SELECT CASE WHEN fare > 1000 THEN 'a' WHEN fare > 10 THEN 'b' END, CORR(fare, distance), STDDEV(LEAST(GREATEST(free, 0), 9)) FROM bike_trips GROUP BY 1
