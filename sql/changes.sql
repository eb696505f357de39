-- The guide's six statements (section 8), after which it looks at the new change file.

update ahmad_schema.Persons set FullName = 'ABC XYZ' where PersonId = 7;
INSERT INTO ahmad_schema.Persons VALUES (130,'Alica Bing','New York');
INSERT INTO ahmad_schema.Persons VALUES (131,'Malinda Bing','Detroit');
INSERT INTO ahmad_schema.Persons VALUES (132,'Chandler Bing','Portland');
update ahmad_schema.Persons set FullName = 'ABC XYZ' where PersonId = 8;
DELETE FROM ahmad_schema.Persons where PersonId = 10;
