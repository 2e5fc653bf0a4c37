"""Complete tables: search spaces whose every member was trained beforehand."""
