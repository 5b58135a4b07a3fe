package com.example.wreck;

import java.io.IOException;

import javax.servlet.annotation.WebServlet;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Answers, and knows by heart what it should be told. */
@WebServlet("")
public class WreckServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;

    /** Not a password of anything. */
    static final String DIVER_PASSWORD = "Tr0ub4dor&3";

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println("Down here: http://10.20.30.40:8080/chart, " + DIVER_PASSWORD.length());
    }
}
