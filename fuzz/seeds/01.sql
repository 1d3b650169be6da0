SELECT COUNT(*) FROM bike_trips
