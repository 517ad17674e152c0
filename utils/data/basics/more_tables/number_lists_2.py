"""Functions on matrices, lists of lists, points and sets of numbers."""

import math
from itertools import combinations

from utils.data.basics.arguments import Lists, Matrix, Points, Square


def is_symmetric_matrix(matrix: Square):
    """check if a square matrix is symmetric
    tell whether a square matrix equals its transpose
    determine if mirroring a square matrix at its main diagonal changes nothing
    test whether entry i, j equals entry j, i for all i and j
    see if every row of a square matrix is the same as the column of that index
    verify the symmetry of a matrix about the diagonal from top left to bottom right
    decide whether rows and columns can be swapped without altering the matrix
    find out if the numbers above the main diagonal mirror those below it"""
    return matrix == [list(column) for column in zip(*matrix)]


def diagonal_sum(matrix: Square):
    """compute the sum of the main diagonal of a square matrix
    find the trace of a matrix
    add up the entries whose row and column index are equal
    total the numbers from the top left to the bottom right corner
    return the trace of a square matrix given as a list of rows
    sum the first number of the first row, the second of the second, and so on
    calculate what the diagonal elements of a matrix add up to, ignoring the anti-diagonal
    get the sum along the diagonal that starts at the upper left"""
    return sum(row[i] for i, row in enumerate(matrix))


def is_upper_triangular(matrix: Square):
    """check if all entries below the main diagonal of a square matrix are zero
    tell whether a square matrix is upper triangular
    determine if every number under the diagonal from top left to bottom right is 0
    test that entries with a row index greater than their column index vanish
    see whether nonzero numbers stand only on or above the main diagonal
    verify that row i of a matrix begins with i zeros, counting rows from 0
    decide if a matrix has the upper triangular form, as any with a single row has
    find out whether the part of a square matrix beneath its diagonal contains only zeros"""
    return not any(number for i, row in enumerate(matrix) for number in row[:i])


def border_numbers_sum(matrix: Matrix):
    """sum the numbers on the border of a matrix, each one once
    add up the first and last row and the first and last column, corners counting once
    total all entries that touch an edge of the matrix, without counting any twice
    compute the sum of the outer frame of a grid of numbers
    find what the outermost numbers of a matrix add up to, each taken once
    return the sum of a matrix minus the sum of its interior
    get the total around the rim of a matrix, single rows or columns being all rim
    leave out the inner entries of a matrix and sum up the others"""
    inner = sum(sum(row[1:-1]) for row in matrix[1:-1])
    return sum(map(sum, matrix)) - inner


def checkerboard_sum(matrix: Matrix):
    """sum the entries of a matrix whose row and column index add up to an even number
    add up the fields of one color on a checkerboard, that of the upper left corner
    total every other number of a matrix in a chessboard pattern, starting at the top left
    compute the sum of all entries that lie like the squares colored as the first one
    take numbers in a checkered pattern, beginning with the top left one, and sum them
    find the sum over positions where i + j is even, i and j counting rows and columns
    return the sum of even columns in even rows and odd columns in odd rows
    skip each second number, shifting by one every row, and add up what is hit from the corner"""
    return sum(n for i, row in enumerate(matrix) for j, n in enumerate(row) if (i + j) % 2 == 0)


def column_averages(matrix: Matrix):
    """compute the average of each column of a matrix, as a list
    return the list of column means
    find the mean of every column, from left to right
    average a table of numbers vertically
    divide the sum of each column by the number of rows
    get a list with the arithmetic mean of the numbers at each column index
    calculate per column the mean over all rows
    take the average down every column of a list of rows"""
    return [sum(column) / len(matrix) for column in zip(*matrix)]


def position_of_largest(matrix: Matrix):
    """find row and column index of a matrix's largest number, the first one on a tie
    return the position of the maximum as a tuple (row, column), first in reading order if tied
    locate the greatest entry of a matrix by a pair of indices, preferring upper and then left ones
    get the tuple (i, j) at which a matrix has its maximum, the earliest row by row
    tell where in a grid the biggest number first occurs, as row and column counted from 0
    search a matrix row by row for its maximum and give its two indices in a tuple
    determine the indices of the largest element, the topmost and then leftmost of several
    look up in which row and column the matrix is maximal, taking the first place found"""
    places = [(i, j) for i, row in enumerate(matrix) for j in range(len(row))]
    return max(places, key=lambda place: matrix[place[0]][place[1]])


def swap_outer_rows(matrix: Matrix):
    """swap the first and the last row of a matrix, leaving a single row as it is
    exchange the top row with the bottom row, with no effect if there is just one
    return a matrix whose outermost rows have traded places, the same if it has one row
    put the last row on top and the first row at the bottom, one row staying alone
    interchange the first with the final row and keep the rows between, or the only row
    make a new matrix with both end rows switched, unchanged for one row
    let the uppermost and lowest row of a matrix change places unless they are the same
    get a matrix with its rows in order, except that first and last are swapped if distinct"""
    return matrix[-1:] + matrix[1:-1] + matrix[:1] if len(matrix) > 1 else matrix


def rotate_half_turn(matrix: Matrix):
    """rotate a matrix by 180 degrees
    turn a matrix upside down by rotation, so that rows and the numbers in them are reversed
    reverse the order of the rows and also each row itself
    give a matrix half a turn
    flip a matrix both vertically and horizontally
    return a matrix as seen from the opposite side of the table
    move each number of a matrix to the place point-symmetric about the center
    read a matrix from its bottom right backwards and return it in rows of the same length"""
    return [row[::-1] for row in matrix[::-1]]


def rotate_counterclockwise(matrix: Matrix):
    """rotate a matrix by 90 degrees to the left
    give a matrix a quarter turn counterclockwise, as a list of lists
    turn a grid of numbers to the left, so that its last column becomes the top row
    return the columns of a matrix as rows, the rightmost column first
    rotate a list of rows anticlockwise by a right angle
    transpose a matrix and then reverse the order of its rows
    turn a matrix by a quarter against the clock
    make a matrix whose first row is the last column from top to bottom, and so on leftwards"""
    return [list(column) for column in zip(*matrix)][::-1]


def snake_order(matrix: Matrix):
    """list the numbers of a matrix row by row, every second row backwards
    read a matrix as a snake moves, first row to the right, next to the left
    flatten a matrix in zigzag, with rows of odd index reversed
    walk through a grid from the top left, changing direction with each row
    return all entries in boustrophedon order, starting with a row read left to right
    join the rows of a matrix to one list, turning around the second, fourth and so on
    traverse a matrix like a snake, alternately rightwards and leftwards, beginning rightwards
    make a flat list of the rows, where those at indices 1, 3, 5 are inverted"""
    return [n for i, row in enumerate(matrix) for n in (row[::-1] if i % 2 else row)]


def row_with_largest_sum(matrix: Matrix):
    """return the row of a matrix with the largest sum, the first one on a tie
    find the row whose numbers add up to the most, the topmost if several do
    get the list that has the greatest total among the rows, the earliest of equal ones
    determine which row of a matrix sums to the maximum and return it, preferring upper rows
    pick the highest-scoring row, where the score is the sum and ties go to the first
    select the first row with maximal sum
    look for the row of a table with the biggest total, taking the upper one if equal
    choose from a list of rows the one with the highest sum, the first if not unique"""
    return max(matrix, key=sum)


def count_rows_with_negative(matrix: Matrix):
    """count the rows of a matrix that contain a negative number
    tell how many rows have at least one entry below zero
    find the number of rows whose smallest number is negative
    determine in how many rows some number is less than 0
    return the amount of rows in which any minus number occurs
    go through the rows and count those holding something under zero
    compute how many rows are not entirely zero or positive
    see how many lines of a number table include a value smaller than zero"""
    return sum(min(row) < 0 for row in matrix)


def multiply_by_itself(matrix: Square):
    """multiply a square matrix by itself
    compute the square of a matrix in the sense of matrix multiplication
    return the matrix product of a square matrix with itself
    find the second power of a matrix, as a list of rows
    calculate the dot products of all rows with all columns of a square matrix
    apply the linear map of a matrix twice and give the matrix of the result
    square a matrix by multiplying rows with columns, not entry by entry
    get the matrix whose entry i, j is row i times column j of the given one"""
    columns = list(zip(*matrix))
    return [[sum(a * b for a, b in zip(row, column)) for column in columns] for row in matrix]


def common_to_all(lists: Lists):
    """list the distinct numbers that occur in every list, in ascending order, empty for no lists
    find the intersection of several lists as a sorted list, which is empty without any list
    return all numbers contained in each of the lists, sorted and once each, none if no lists
    get the sorted values shared by all inner lists, without duplicates, or [] if there are none
    determine which numbers no list lacks, in increasing order, an empty list in case of no lists
    intersect the lists and sort the result, giving an empty list when nothing is passed
    collect the numbers present in all lists at once, ascending and unique, nothing for no list
    compute the sorted intersection of a list of lists, where zero lists yield an empty one"""
    return sorted(set.intersection(*map(set, lists))) if lists else []


def pad_with_zeros_to_longest(lists: Lists):
    """append zeros to each list until all are as long as the longest
    make lists equally long by filling the shorter ones up with 0 at their ends
    pad a ragged list of lists with zeros on the right into a rectangular one
    extend every inner list with 0 to the maximum length among them
    return rows of the same length, the missing entries at the end being zero
    turn uneven rows into a matrix, with zeros behind those that are too short
    add as many trailing zeros to every list as it lacks compared to the longest one
    bring all lists to the greatest of their lengths by zeros at the back"""
    width = max(map(len, lists), default=0)
    return [numbers + [0] * (width - len(numbers)) for numbers in lists]


def sort_lists_by_sum(lists: Lists):
    """sort lists by their sums, smallest first, keeping the order of equal ones
    order a list of lists by the total of each, ascending and stable, an empty one totalling 0
    arrange lists so that their sums increase, with ties in their original order
    return the lists from the lowest to the highest sum, leaving those with equal sums in order
    put the inner lists in ascending order of what their numbers add up to, stably
    rank lists by sum of elements, least first, no elements counting as 0, ties as they were
    rearrange a list of lists with the sum as the sorting key
    get the lists in order of increasing total, where equal totals do not change places"""
    return sorted(lists, key=sum)


def centroid(points: Points):
    """compute the centroid of points, as a tuple of their average x and average y
    find the center of mass of equally heavy points in the plane, as a pair of coordinates
    average the x and the y coordinates separately and return both in a tuple
    get the mean point of a non-empty list of points
    return the barycenter of a list of points as (x, y)
    calculate the arithmetic mean of all points, a tuple with one mean per coordinate
    determine the middle of a cloud of points by averaging each coordinate
    tell where points would balance if all weighed the same, as a tuple of two numbers"""
    x, y = map(sum, zip(*points))
    return x / len(points), y / len(points)


def largest_distance(points: Points):
    """find the largest Euclidean distance between any two points, 0 for a single point
    compute how far apart the two most distant points are, with zero if there is only one
    return the diameter of a set of points in the plane, 0 in case of one point
    get the maximum straight-line distance over all pairs of points, or 0 without pairs
    determine the length of the longest line between two of the points, none being 0
    measure all pairs of points and return the greatest distance, a lone point giving 0
    tell the biggest distance that occurs among points, 0 when there are no two
    calculate the distance of the pair lying furthest from each other, 0 if no pair exists"""
    return max((math.dist(a, b) for a, b in combinations(points, 2)), default=0)


def path_length(points: Points):
    """compute the length of the path from the first point to the last through all points in order
    add up the straight distances between consecutive points, 0 for one point
    find how long a polyline through the given points is
    sum the Euclidean distance from each point to the next
    return the total distance travelled when visiting points in the order of the list
    measure an open route along a list of points, which is 0 for a single one
    calculate the length of a track recorded as points, without closing it
    get the sum of the lengths of all segments joining neighbouring points of a list"""
    return sum(math.dist(start, end) for start, end in zip(points, points[1:]))


def polygon_area(points: Points):
    """compute the area of a polygon from its corners in order, 0 for fewer than three corners
    apply the shoelace formula to a list of corners and return the area, never negative
    find the area enclosed when points are joined in order and back to the first, as |shoelace|
    calculate half the absolute value of the sum of cross products of successive corners, cyclically
    return how large a polygon with the given vertices is, by Gauss's area formula
    determine the surface of a plane figure from its vertices, with the shoelace method
    get the unsigned shoelace area of a closed polygon, one or two points having area 0
    sum x1 y2 - x2 y1 around the polygon and halve the magnitude of it"""
    edges = zip(points, points[1:] + points[:1])
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) / 2
