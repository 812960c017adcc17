-- shop: the tea shop Kettle & Kind. Prices in pounds, days as YYYY-MM-DD. All six databases are made up for this course.
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, city TEXT, joined TEXT);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price INTEGER, stock INTEGER);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER REFERENCES customers (id),
    product_id INTEGER REFERENCES products (id),
    quantity INTEGER,
    day TEXT
);
INSERT INTO customers VALUES
    (1, 'Ada Moss', 'Hollin', '2023-02-11'), (2, 'Ben Carter', 'Hollin', '2024-06-03'),
    (3, 'Chloe Park', 'Wexley', '2023-09-19'), (4, 'Dev Anand', 'Marsh End', '2025-01-07'),
    (5, 'Ella Stone', 'Wexley', '2024-03-28'), (6, 'Finn Rowe', 'Hollin', '2025-04-15'),
    (7, 'Grace Oduya', 'Northgate', '2023-05-30'), (8, 'Hugo Lind', 'Northgate', '2024-11-12'),
    (9, 'Iris Bell', 'Marsh End', '2023-12-01'), (10, 'Jon Vega', 'Kestle', '2025-02-20'),
    (11, 'Kira Sato', 'Wexley', '2024-08-08'), (12, 'Leo Brandt', 'Hollin', '2023-07-24'),
    (13, 'Mia Frost', 'Kestle', '2024-01-16'), (14, 'Noah Quill', 'Northgate', '2025-06-02'),
    (15, 'Olga Pine', 'Hollin', '2024-10-05');
INSERT INTO products VALUES
    (1, 'Harbour Black', 'tea', 6, 120), (2, 'Mint Garden', 'tea', 5, 80), (3, 'Smoky Pier', 'tea', 8, 35),
    (4, 'Green Hill', 'tea', 7, 60), (5, 'Night Camomile', 'tea', 5, 95), (6, 'Silver Needle', 'tea', 18, 12),
    (7, 'Blue Pot', 'pot', 24, 15), (8, 'Iron Pot', 'pot', 42, 6), (9, 'Glass Pot', 'pot', 31, 9),
    (10, 'Tall Cup', 'cup', 9, 40), (11, 'Sailor Mug', 'cup', 11, 28), (12, 'Tasting Set', 'gift', 35, 10),
    (13, 'Gift Box', 'gift', 20, 0), (14, 'Travel Flask', 'cup', 16, 22), (15, 'Honey Spoon', 'gift', 4, 70),
    (16, 'Winter Spice', 'tea', 12, 0);
INSERT INTO orders VALUES
    (1, 1, 1, 2, '2025-01-04'), (2, 3, 7, 1, '2025-01-09'), (3, 2, 2, 3, '2025-01-15'), (4, 5, 10, 4, '2025-01-22'),
    (5, 9, 12, 1, '2025-01-30'), (6, 1, 3, 1, '2025-02-03'), (7, 7, 1, 5, '2025-02-07'), (8, 4, 5, 2, '2025-02-11'),
    (9, 12, 8, 1, '2025-02-14'), (10, 3, 4, 2, '2025-02-19'), (11, 10, 11, 2, '2025-02-25'),
    (12, 1, 6, 1, '2025-03-01'), (13, 8, 1, 3, '2025-03-05'), (14, 2, 14, 1, '2025-03-08'),
    (15, 5, 2, 6, '2025-03-12'), (16, 9, 9, 1, '2025-03-18'), (17, 11, 3, 2, '2025-03-21'),
    (18, 12, 1, 4, '2025-03-27'), (19, 7, 13, 2, '2025-04-02'), (20, 4, 10, 2, '2025-04-06'),
    (21, 6, 5, 3, '2025-04-16'), (22, 1, 12, 1, '2025-04-18'), (23, 3, 1, 1, '2025-04-23'),
    (24, 10, 2, 2, '2025-04-29'), (25, 15, 4, 8, '2025-05-02'), (26, 8, 11, 1, '2025-05-06'),
    (27, 2, 6, 2, '2025-05-09'), (28, 5, 14, 3, '2025-05-13'), (29, 12, 7, 1, '2025-05-17'),
    (30, 9, 5, 7, '2025-05-21'), (31, 1, 10, 6, '2025-05-26'), (32, 11, 13, 1, '2025-05-30'),
    (33, 7, 3, 3, '2025-06-03'), (34, 6, 8, 1, '2025-06-05'), (35, 4, 1, 2, '2025-06-10'),
    (36, 3, 12, 2, '2025-06-14'), (37, 15, 2, 1, '2025-06-18'), (38, 10, 9, 1, '2025-06-22'),
    (39, 8, 4, 10, '2025-06-25'), (40, 2, 1, 9, '2025-06-29');

-- library: the town library of Marsh End. Loans last whole weeks, days as YYYY-MM-DD.
CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT, author TEXT, genre TEXT, pages INTEGER);
CREATE TABLE loans (
    id INTEGER PRIMARY KEY,
    book_id INTEGER REFERENCES books (id),
    reader TEXT,
    borrowed TEXT,
    weeks INTEGER
);
INSERT INTO books VALUES
    (1, 'The Salt Road', 'Nora Vance', 'novel', 412), (2, 'Seven Bridges', 'Tom Ardle', 'history', 288),
    (3, 'A Field of Larks', 'Nora Vance', 'poetry', 96), (4, 'The Last Ferry', 'Priya Nair', 'crime', 334),
    (5, 'Moon Over Kestle', 'Sam Whitlow', 'children', 48), (6, 'The Copper Key', 'Priya Nair', 'crime', 301),
    (7, 'Winter Letters', 'Greta Holm', 'novel', 256), (8, 'Old Harbours', 'Tom Ardle', 'history', 365),
    (9, 'The Paper Fox', 'Sam Whitlow', 'children', 64), (10, 'Night at the Mill', 'Priya Nair', 'crime', 278),
    (11, 'Rivers of the North', 'Ines Coe', 'history', 520), (12, 'Small Songs', 'Greta Holm', 'poetry', 112),
    (13, 'The Long Garden', 'Nora Vance', 'novel', 390), (14, 'Who Hid the Clock', 'Sam Whitlow', 'children', 80),
    (15, 'Glass Islands', 'Ines Coe', 'novel', 225), (16, 'The Quiet Judge', 'Lewis Fay', 'crime', 352);
INSERT INTO loans VALUES
    (1, 4, 'Zoe Hart', '2025-01-06', 3), (2, 1, 'Bo Lund', '2025-01-10', 4), (3, 9, 'Cara Dean', '2025-01-17', 2),
    (4, 6, 'Zoe Hart', '2025-01-29', 3), (5, 11, 'Dan Reyes', '2025-02-03', 6), (6, 5, 'Cara Dean', '2025-02-08', 1),
    (7, 2, 'Eva Marsh', '2025-02-12', 4), (8, 16, 'Gil Perry', '2025-02-20', 2),
    (9, 4, 'Dan Reyes', '2025-03-01', 3), (10, 13, 'Bo Lund', '2025-03-04', 5),
    (11, 14, 'Cara Dean', '2025-03-11', 2), (12, 8, 'Eva Marsh', '2025-03-15', 4),
    (13, 10, 'Zoe Hart', '2025-03-22', 3), (14, 3, 'Gil Perry', '2025-04-02', 1),
    (15, 9, 'Fay Orton', '2025-04-09', 2), (16, 7, 'Zoe Hart', '2025-04-14', 4),
    (17, 1, 'Dan Reyes', '2025-04-25', 8), (18, 4, 'Fay Orton', '2025-05-05', 3),
    (19, 12, 'Eva Marsh', '2025-05-12', 2), (20, 6, 'Bo Lund', '2025-05-20', 7);

-- clinic: the Wexley clinic. A doctor's field is what the doctor treats; visits are in minutes.
CREATE TABLE doctors (id INTEGER PRIMARY KEY, name TEXT, field TEXT, room INTEGER, started TEXT);
CREATE TABLE visits (
    id INTEGER PRIMARY KEY,
    doctor_id INTEGER REFERENCES doctors (id),
    patient TEXT,
    day TEXT,
    minutes INTEGER
);
INSERT INTO doctors VALUES
    (1, 'Dr Abbot', 'heart', 14, '2012-03-05'), (2, 'Dr Bose', 'skin', 4, '2018-09-17'),
    (3, 'Dr Cole', 'children', 7, '2009-06-22'), (4, 'Dr Diaz', 'eyes', 15, '2021-01-11'),
    (5, 'Dr Ekman', 'heart', 12, '2016-10-03'), (6, 'Dr Fisher', 'general', 6, '2005-04-18'),
    (7, 'Dr Gray', 'general', 2, '2019-08-26'), (8, 'Dr Hadid', 'skin', 5, '2022-05-09'),
    (9, 'Dr Ivers', 'children', 8, '2014-02-24'), (10, 'Dr Jones', 'general', 3, '2023-09-04'),
    (11, 'Dr Kaur', 'eyes', 16, '2017-11-13'), (12, 'Dr Lowe', 'bones', 10, '2020-07-06');
INSERT INTO visits VALUES
    (1, 6, 'Max Hill', '2025-03-03', 10), (2, 1, 'Rosa Kent', '2025-03-03', 35),
    (3, 3, 'Tia Webb', '2025-03-04', 20), (4, 7, 'Max Hill', '2025-03-06', 15),
    (5, 12, 'Ken Udo', '2025-03-10', 40), (6, 2, 'Lena Fox', '2025-03-11', 25),
    (7, 6, 'Rosa Kent', '2025-03-14', 10), (8, 5, 'Abe Nolan', '2025-03-18', 45),
    (9, 10, 'Lena Fox', '2025-03-21', 15), (10, 9, 'Tia Webb', '2025-03-27', 30),
    (11, 4, 'Ken Udo', '2025-04-01', 20), (12, 6, 'Abe Nolan', '2025-04-03', 5),
    (13, 1, 'Rosa Kent', '2025-04-08', 50), (14, 8, 'Max Hill', '2025-04-10', 25),
    (15, 12, 'Bea Pope', '2025-04-15', 60), (16, 7, 'Bea Pope', '2025-04-17', 15),
    (17, 3, 'Tia Webb', '2025-04-24', 20), (18, 11, 'Abe Nolan', '2025-04-29', 30),
    (19, 10, 'Ken Udo', '2025-05-02', 10), (20, 6, 'Lena Fox', '2025-05-06', 15);

-- school: the school in Hollin. Points in a test are out of 100.
CREATE TABLE pupils (id INTEGER PRIMARY KEY, name TEXT, class TEXT, town TEXT, born TEXT);
CREATE TABLE marks (
    id INTEGER PRIMARY KEY,
    pupil_id INTEGER REFERENCES pupils (id),
    subject TEXT,
    points INTEGER,
    day TEXT
);
INSERT INTO pupils VALUES
    (1, 'Alba Reed', '5A', 'Hollin', '2014-10-02'), (2, 'Bram Shaw', '5A', 'Wexley', '2015-01-19'),
    (3, 'Cleo Nash', '5B', 'Hollin', '2014-12-30'), (4, 'Dylan Pugh', '6A', 'Kestle', '2013-11-08'),
    (5, 'Edie Lamb', '6A', 'Hollin', '2014-03-21'), (6, 'Felix Orr', '6B', 'Wexley', '2014-06-14'),
    (7, 'Gwen Tate', '5B', 'Kestle', '2015-04-27'), (8, 'Harry Bloom', '6B', 'Marsh End', '2013-09-16'),
    (9, 'Ivy Chan', '5A', 'Marsh End', '2015-07-05'), (10, 'Jude Kerr', '6A', 'Wexley', '2014-01-25'),
    (11, 'Kit Lowell', '5B', 'Hollin', '2015-03-11'), (12, 'Lola Finch', '6B', 'Hollin', '2014-08-09'),
    (13, 'Milo Grant', '5A', 'Northgate', '2014-11-23'), (14, 'Nell Hobbs', '6A', 'Marsh End', '2013-12-17'),
    (15, 'Otis Vane', '5B', 'Wexley', '2015-06-01'), (16, 'Pia Wolfe', '6B', 'Hollin', '2014-05-03');
INSERT INTO marks VALUES
    (1, 1, 'maths', 72, '2025-02-04'), (2, 2, 'maths', 58, '2025-02-04'), (3, 4, 'maths', 91, '2025-02-04'),
    (4, 6, 'maths', 64, '2025-02-04'), (5, 3, 'music', 85, '2025-02-13'), (6, 5, 'music', 77, '2025-02-13'),
    (7, 8, 'history', 49, '2025-02-27'), (8, 10, 'history', 88, '2025-02-27'),
    (9, 12, 'history', 70, '2025-02-27'), (10, 7, 'science', 66, '2025-03-06'),
    (11, 9, 'science', 93, '2025-03-06'), (12, 1, 'science', 81, '2025-03-06'),
    (13, 14, 'science', 55, '2025-03-06'), (14, 4, 'history', 62, '2025-03-20'),
    (15, 13, 'music', 87, '2025-03-20'), (16, 11, 'maths', 83, '2025-04-10'),
    (17, 5, 'maths', 45, '2025-04-10'), (18, 15, 'history', 74, '2025-04-24'),
    (19, 16, 'music', 54, '2025-05-08'), (20, 6, 'science', 79, '2025-05-08');

-- rowing club: the rowing club on the lake at Northgate. Boats weigh kilograms, outings are in kilometres.
CREATE TABLE boats (id INTEGER PRIMARY KEY, name TEXT, seats INTEGER, built INTEGER, weight INTEGER);
CREATE TABLE outings (
    id INTEGER PRIMARY KEY,
    boat_id INTEGER REFERENCES boats (id),
    leader TEXT,
    day TEXT,
    distance INTEGER
);
INSERT INTO boats VALUES
    (1, 'Kingfisher', 1, 2015, 14), (2, 'Otter', 2, 2009, 31), (3, 'Grey Heron', 4, 2018, 52),
    (4, 'Swift', 1, 2021, 13), (5, 'Old Thunder', 8, 1998, 104), (6, 'Mayfly', 2, 2016, 27),
    (7, 'Pike', 4, 2004, 58), (8, 'River Queen', 8, 2012, 96), (9, 'Dragonfly', 1, 2011, 15),
    (10, 'Moorhen', 2, 2020, 28), (11, 'Storm', 8, 2019, 93), (12, 'Willow', 4, 2014, 50),
    (13, 'Teal', 1, 2006, 17), (14, 'Bluebell', 2, 2001, 34);
INSERT INTO outings VALUES
    (1, 1, 'Sara Quist', '2025-04-05', 8), (2, 5, 'Owen Birch', '2025-04-06', 14),
    (3, 2, 'Hana Mori', '2025-04-09', 5), (4, 3, 'Owen Birch', '2025-04-12', 10),
    (5, 8, 'Petra Voss', '2025-04-13', 15), (6, 6, 'Sara Quist', '2025-04-19', 9),
    (7, 9, 'Joel Banks', '2025-04-23', 5), (8, 11, 'Petra Voss', '2025-04-27', 18),
    (9, 7, 'Hana Mori', '2025-05-03', 11), (10, 4, 'Joel Banks', '2025-05-04', 7),
    (11, 5, 'Owen Birch', '2025-05-10', 12), (12, 3, 'Rita Lang', '2025-05-11', 13),
    (13, 10, 'Hana Mori', '2025-05-17', 6), (14, 8, 'Petra Voss', '2025-05-18', 23),
    (15, 1, 'Sara Quist', '2025-05-24', 10), (16, 12, 'Sara Quist', '2025-05-25', 9),
    (17, 11, 'Owen Birch', '2025-06-01', 22), (18, 6, 'Joel Banks', '2025-06-07', 11),
    (19, 3, 'Rita Lang', '2025-06-08', 16), (20, 2, 'Sara Quist', '2025-06-14', 4);

-- bus company: the buses that leave from Kettle Street. A route finishes in a town; fares are in pence.
CREATE TABLE routes (id INTEGER PRIMARY KEY, name TEXT, finish TEXT, stops INTEGER, fare INTEGER);
CREATE TABLE trips (
    id INTEGER PRIMARY KEY,
    route_id INTEGER REFERENCES routes (id),
    driver TEXT,
    day TEXT,
    passengers INTEGER
);
INSERT INTO routes VALUES
    (1, 'Red Line', 'Hollin', 9, 180), (2, 'Blue Line', 'Wexley', 14, 240), (3, 'Coast Line', 'Marsh End', 21, 350),
    (4, 'School Bus', 'Hollin', 6, 100), (5, 'Night Bus', 'Wexley', 11, 400), (6, 'Hill Express', 'Kestle', 4, 290),
    (7, 'Market Bus', 'Hollin', 12, 150), (8, 'Yellow Line', 'Kestle', 17, 260), (9, 'Mill Bus', 'Marsh End', 10, 210),
    (10, 'Airport Express', 'Northgate', 5, 650), (11, 'Hospital Bus', 'Northgate', 8, 160),
    (12, 'Valley Line', 'Kestle', 19, 320);
INSERT INTO trips VALUES
    (1, 1, 'Mona Field', '2025-05-01', 34), (2, 3, 'Raj Patel', '2025-05-01', 52),
    (3, 10, 'Sven Dahl', '2025-05-02', 27), (4, 2, 'Lucy Ames', '2025-05-03', 41),
    (5, 5, 'Sven Dahl', '2025-05-03', 18), (6, 4, 'Mona Field', '2025-05-05', 60),
    (7, 6, 'Pete Novak', '2025-05-06', 15), (8, 8, 'Raj Patel', '2025-05-08', 43),
    (9, 1, 'Lucy Ames', '2025-05-09', 29), (10, 12, 'Pete Novak', '2025-05-12', 44),
    (11, 7, 'Mona Field', '2025-05-14', 57), (12, 10, 'Sven Dahl', '2025-05-16', 31),
    (13, 3, 'Raj Patel', '2025-05-19', 58), (14, 11, 'Lucy Ames', '2025-05-20', 22),
    (15, 9, 'Tess Guy', '2025-05-23', 19), (16, 2, 'Tess Guy', '2025-05-27', 36),
    (17, 5, 'Sven Dahl', '2025-06-02', 25), (18, 4, 'Mona Field', '2025-06-03', 48),
    (19, 8, 'Pete Novak', '2025-06-06', 12), (20, 1, 'Tess Guy', '2025-06-10', 40);
