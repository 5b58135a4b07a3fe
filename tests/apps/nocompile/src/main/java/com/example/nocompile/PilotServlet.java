package com.example.nocompile;

import java.io.IOException;

import javax.servlet.annotation.WebServlet;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;

/** Does not compile, on purpose: nobody wrote {@code Pilot.nameOfTheDay()}. */
@WebServlet("")
public class PilotServlet extends HttpServlet {

    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.getWriter().println(new Pilot("Berit").nameOfTheDay());
    }
}
