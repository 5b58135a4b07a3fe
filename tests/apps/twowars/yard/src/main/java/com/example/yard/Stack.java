package com.example.yard;

/** Containers on top of each other. */
final class Stack {

    private Stack() {}

    /** How many layers so many containers need on so many places. */
    static int height(int containers, int places) {
        return (containers + places - 1) / places;
    }
}
