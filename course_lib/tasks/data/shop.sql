-- The tea shop Kettle & Kind, made up for this course. Prices in pounds, days as YYYY-MM-DD.
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
