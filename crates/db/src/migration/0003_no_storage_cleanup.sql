-- Nothing ever wrote into it: what is left over on the disk is found by comparing the disk with the versions.
DROP TABLE storage_cleanup;
