"""Functions on matrices, points and sets of numbers."""

import math

from utils.data.basics.arguments import Matrix, Number, NumberSet, Points, Positive, Square


def row_sums(matrix: Matrix):
    """compute the sum of each row of a matrix
    list the totals of the rows of a table of numbers
    add up the numbers in every row of a list of rows, giving a list
    get a list with the sum of every row in a matrix"""
    return [sum(row) for row in matrix]


def column_sums(matrix: Matrix):
    """compute the sum of each column of a matrix
    list the totals of the columns of a table of numbers
    add up the numbers in every column of a list of rows, giving a list
    get a list with the sum of every column in a matrix"""
    return [sum(column) for column in zip(*matrix)]


def matrix_sum(matrix: Matrix):
    """compute the sum of all numbers in a matrix
    add up everything in a table of numbers given as a list of rows
    find the total of all entries of a matrix
    calculate the sum of all the elements of a two-dimensional list"""
    return sum(sum(row) for row in matrix)


def matrix_max(matrix: Matrix):
    """find the largest number in a matrix
    return the maximum of all entries of a table of numbers
    get the biggest number in a two-dimensional list
    determine the greatest of all the elements in a matrix"""
    return max(max(row) for row in matrix)


def row_maxima(matrix: Matrix):
    """find the largest number of each row of a matrix
    list the maximum of every row in a table of numbers
    get a list with the biggest number from each row of a list of rows
    determine the maximum in every row of a matrix, as a list"""
    return [max(row) for row in matrix]


def count_zeros(matrix: Matrix):
    """count the zeros in a matrix
    find how many entries of a table of numbers are 0
    determine how often zero occurs in a two-dimensional list
    get the number of elements of a matrix that equal zero"""
    return sum(row.count(0) for row in matrix)


def flatten_matrix(matrix: Matrix):
    """flatten a matrix into one list, row by row
    turn a table of numbers into a single list of all its entries
    join the rows of a two-dimensional list into one flat list
    list all numbers of a matrix, one row after the other"""
    return [number for row in matrix for number in row]


def flip_horizontally(matrix: Matrix):
    """flip a matrix horizontally, reversing each row
    mirror a table of numbers from left to right
    reverse the order of the numbers in every row of a list of rows
    swap left and right in a matrix given as a list of rows"""
    return [row[::-1] for row in matrix]


def flip_vertically(matrix: Matrix):
    """flip a matrix vertically, reversing the order of its rows
    mirror a table of numbers from top to bottom
    turn a list of rows upside down, so that the last row comes first
    swap top and bottom in a matrix given as a list of rows"""
    return matrix[::-1]


def rotate_clockwise(matrix: Matrix):
    """rotate a matrix by 90 degrees clockwise
    turn a table of numbers to the right by a quarter turn
    rotate a list of rows clockwise once, giving a list of lists
    return a matrix turned by 90 degrees to the right"""
    return [list(row) for row in zip(*matrix[::-1])]


def matrix_shape(matrix: Matrix):
    """return the numbers of rows and columns of a matrix as a tuple
    find the shape of a table of numbers, as a pair of row and column count
    get how many rows and columns a two-dimensional list has, as a tuple
    determine the size of a matrix as a tuple of rows and columns"""
    return len(matrix), len(matrix[0])


def first_column(matrix: Matrix):
    """return the first column of a matrix as a list
    list the first number of every row in a table of numbers
    get the leftmost column of a list of rows
    return the list of the first items of all rows of a matrix"""
    return [row[0] for row in matrix]


def scale_matrix(matrix: Matrix, number: Number):
    """multiply every number in a matrix by a number
    scale a table of numbers by a given factor
    compute the product of a matrix and a single number
    multiply all entries of a two-dimensional list by a factor"""
    return [[item * number for item in row] for row in matrix]


def is_square_matrix(matrix: Matrix):
    """check whether a matrix has as many rows as columns
    tell if a table of numbers is square
    find out whether the number of rows of a list of rows equals that of columns
    determine if a matrix is a square one"""
    return all(len(row) == len(matrix) for row in matrix)


def diagonal(matrix: Square):
    """return the main diagonal of a square matrix as a list
    list the numbers on the diagonal of a square table, from top left on
    get the diagonal from the upper left to the lower right of a square matrix
    collect the entries with equal row and column index of a square matrix"""
    return [matrix[i][i] for i in range(len(matrix))]


def anti_diagonal(matrix: Square):
    """return the other diagonal of a square matrix, from the top right to bottom left
    list the numbers on the diagonal of a square table, starting at the top right
    get the diagonal from the upper right to the lower left of a square matrix
    collect the anti-diagonal of a square matrix, beginning in the first row"""
    return [row[-1 - i] for i, row in enumerate(matrix)]


def add_matrices(a: Square, b: Square):
    """add two square matrices, giving None if their sizes differ
    compute the sum of two square tables entry by entry, or None for unequal sizes
    sum two square matrices element by element, returning None if sizes are unequal
    find the sum of two square matrices, or None if they are not of the same size"""
    if len(a) != len(b):
        return None
    return [[x + y for x, y in zip(*rows)] for rows in zip(a, b)]


def identity_matrix(n: Positive):
    """return the identity matrix of size n as a list of rows
    make a square matrix of n rows with ones on the diagonal and zeros elsewhere
    create an n by n identity matrix
    build the unit matrix with n rows and n columns, as a list of lists"""
    return [[int(i == j) for j in range(n)] for i in range(n)]


def distance(x1: Number, y1: Number, x2: Number, y2: Number):
    """compute the distance between two points, given the numbers x1, y1, x2 and y2
    calculate how far apart two points are, given as four numbers x1, y1, x2 and y2
    find the Euclidean distance of two points from the coordinates x1, y1, x2, y2
    get the straight-line distance of two points from the numbers x1, y1, x2 and y2"""
    return math.hypot(x2 - x1, y2 - y1)


def manhattan_distance(x1: Number, y1: Number, x2: Number, y2: Number):
    """compute the Manhattan distance between two points, given as x1, y1, x2 and y2
    calculate the city-block distance of two points from four numbers x1, y1, x2, y2
    add the absolute differences of x1 and x2 and of y1 and y2, given x1, y1, x2, y2
    get the taxicab distance of two points from the coordinates x1, y1, x2 and y2"""
    return abs(x1 - x2) + abs(y1 - y2)


def midpoint(x1: Number, y1: Number, x2: Number, y2: Number):
    """compute the midpoint of two points, given the numbers x1, y1, x2, y2, as a tuple
    find the point halfway between two points given as x1, y1, x2, y2, as a tuple
    calculate the middle of a segment from its end coordinates x1, y1, x2, y2, as a pair
    get the center between two points as a tuple, given their x1, y1, x2 and y2"""
    return (x1 + x2) / 2, (y1 + y2) / 2


def closest_to_origin(points: Points):
    """return the point closest to the origin in a list of points
    find the pair of coordinates nearest to (0, 0)
    get the point with the smallest distance to the origin from a list of tuples
    determine which of several points lies nearest to the origin"""
    return min(points, key=lambda point: math.hypot(*point))


def bounding_box(points: Points):
    """return the bounding box of points as smallest x, smallest y, largest x, largest y
    find the minimum x, minimum y, maximum x and maximum y of points, as a tuple
    compute the box around a list of points, as a tuple (min x, min y, max x, max y)
    get the bounding rectangle of points, as a tuple (min x, min y, max x, max y)"""
    xs = [x for x, y in points]
    ys = [y for x, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def shift_points(points: Points, dx: Number, dy: Number):
    """move a list of points by dx and dy
    shift every point in a list of tuples by dx in x and by dy in y
    add dx to the x and dy to the y of each coordinate pair, giving a list of tuples
    translate all points in a list by a given step in x and a given step in y"""
    return [(x + dx, y + dy) for x, y in points]


def set_union(a: NumberSet, b: NumberSet):
    """return the union of two sets
    join two sets into one set with the items of both
    collect the numbers that are in at least one of two sets, as a set
    make a set of everything that is in either one of two sets or in both"""
    return a | b


def set_difference(a: NumberSet, b: NumberSet):
    """return the set of items of the first set that are not in the second
    remove the items of a second set from a first set, giving a new set
    compute the difference of two sets, the first without the second
    get a set of everything that is in the first set but not in the second"""
    return a - b


def set_symmetric_difference(a: NumberSet, b: NumberSet):
    """return the symmetric difference of two sets
    find the set of the items that are in exactly one of two sets
    collect the numbers that are in one of two sets but not in both, as a set
    get a set of everything that two given sets do not share"""
    return a ^ b


def is_subset(a: NumberSet, b: NumberSet):
    """check whether the first set is a subset of the second
    tell if all items of a first set are also in a second set
    find out whether a second set contains everything in a first set
    determine if each number of the first set occurs in the second set too"""
    return a <= b


def are_disjoint(a: NumberSet, b: NumberSet):
    """check whether two sets are disjoint
    tell if two sets have no items in common
    find out whether no number is in both of two sets
    determine if two sets do not share any element"""
    return a.isdisjoint(b)


def sorted_items(numbers: NumberSet):
    """return the items of a set of numbers as a sorted list
    sort a set of numbers into a list, smallest first
    convert a set to a list in ascending order
    list the numbers of a set from the smallest to the largest"""
    return sorted(numbers)


def even_numbers_of_set(numbers: NumberSet):
    """return the set of the even numbers in a set
    keep only the even numbers of a set, as a set
    filter a set of integers for those divisible by two, giving a set
    get a set of all numbers in a given set that are even"""
    return {number for number in numbers if number % 2 == 0}
