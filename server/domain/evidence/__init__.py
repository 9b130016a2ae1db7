"""Evidence under other records: photos and signatures; joins the engines of records and bytes."""
