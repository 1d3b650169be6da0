SELECT home, MEDIAN(distance), QUANTILE(fare, 0.9) FROM bike_trips GROUP BY home ORDER BY 2 DESC LIMIT 3
